"""Records what admins do, in the audit and in the log."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from limbo.domain.access.audit import MAX_SELECTION, Action, Actor, AuditEntry, Result
from limbo.domain.errors import AuditUnavailable
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.text import redact
from limbo.ports.audit_log import AuditLog

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(slots=True)
class Changed:
    """How much an action has changed so far; whoever performs it sets the count."""

    count: int | None = None


class Audit:
    """Records actions: before they are done, and once more when they have ended.

    So none is done without a trace, whatever happens to the process. Without ``kept``, where there
    is no database, the lines in the log are all there is.
    """

    def __init__(
        self,
        kept: AuditLog | None,
        now: Callable[[], float],
        *,
        log: structlog.typing.FilteringBoundLogger = log,
    ) -> None:
        self.kept = kept
        self._now = now
        self._log = log

    @contextmanager
    def recorded(
        self, actor: Actor, action: Action, selection: Mapping[str, object]
    ) -> Iterator[Changed]:
        """Yield where to count what the action changes. Raises AuditUnavailable before it begins.

        An error of the action is recorded and raised.
        """
        at = self._now()
        entry = AuditEntry(
            id=mail_id(at), at=at, actor=actor, action=action, selection=_text(selection)
        )
        if self.kept is not None:
            self.kept.begin(entry)
        changed = Changed()
        try:
            yield changed
        except BaseException:
            self._end(entry, Result.FAILED, changed.count)
            raise
        self._end(entry, Result.DONE, changed.count)

    def _end(self, entry: AuditEntry, result: Result, count: int | None) -> None:
        self._log.info(
            "admin action",
            audit_id=entry.id,
            action=entry.action,
            who=entry.actor.who,
            origin=entry.actor.origin,
            selection=entry.selection,
            result=result,
            count=count,
        )
        try:
            if self.kept is not None:
                self.kept.end(entry.id, result, count)
        except AuditUnavailable as error:  # the action is done, and the audit knows that it began
            reason = redact(str(error))
            self._log.warning("cannot complete the audit", audit_id=entry.id, reason=reason)


def _text(selection: Mapping[str, object]) -> str:
    text = json.dumps(selection, separators=(",", ":"), ensure_ascii=True, default=str)
    return text if len(text) <= MAX_SELECTION else f"{text[: MAX_SELECTION - 1]}…"
