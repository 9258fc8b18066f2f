"""Deletes what has been kept for long enough from ledger, dead letters and audit, step by step."""

import threading
from collections.abc import Callable

import structlog

from limbo.domain.errors import AuditUnavailable, LedgerUnavailable, QueueUnavailable
from limbo.entrypoints.process.clock import Clock
from limbo.ports.audit_log import AuditLog
from limbo.ports.dead_letters import DeadLetters
from limbo.ports.ledger import Ledger

_DAY = 86_400.0
_ROUND_SECONDS = 60.0
_STEP = 200  # entries in one transaction
_PAUSE_SECONDS = 0.05  # between two transactions, so that others can write
_log = structlog.get_logger()


class Janitor:
    """A part of the worker's process; several of them may run at the same time."""

    def __init__(
        self,
        ledger: Ledger,
        dead_letters: DeadLetters,
        audit_log: AuditLog | None = None,
        *,
        clock: Clock,
        body_days: float,
        record_days: float,
        letter_days: float,
        audit_days: float,
    ) -> None:
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._audit_log = audit_log
        self._clock = clock
        self._body_days = body_days
        self._record_days = record_days
        self._letter_days = letter_days
        self._audit_days = audit_days
        self._dropped = 0
        self._changed = threading.Condition()
        self._stopping = False

    def run(self) -> None:
        """Purge once a minute until stopped."""
        while not self._stopping:
            seconds = _PAUSE_SECONDS if self.purge() else _ROUND_SECONDS
            with self._changed:
                if not self._stopping:
                    self._clock.wait(self._changed, seconds)

    def stop(self) -> None:
        """Start to stop."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def purge(self) -> bool:
        """Take one step; return whether there is more to delete."""
        in_ledger = _deleted("the ledger", self._purge_ledger)
        letters = _deleted("the dead letters", self._purge_dead_letters)
        self._dropped += letters
        if self._dropped and letters < _STEP:
            _log.info("old dead letters dropped", count=self._dropped, days=self._letter_days)
            self._dropped = 0
        in_audit = _deleted("the audit", self._purge_audit)
        return max(in_ledger, letters, in_audit) >= _STEP

    def _purge_ledger(self) -> int:
        now = self._clock.now()
        return self._ledger.purge(
            bodies_before=now - self._body_days * _DAY,
            records_before=now - self._record_days * _DAY,
            limit=_STEP,
        )

    def _purge_dead_letters(self) -> int:
        before = self._clock.now() - self._letter_days * _DAY
        return self._dead_letters.purge(before=before, limit=_STEP)

    def _purge_audit(self) -> int:
        if self._audit_log is None:
            return 0
        before = self._clock.now() - self._audit_days * _DAY
        return self._audit_log.purge(before=before, limit=_STEP)


def _deleted(place: str, purge: Callable[[], int]) -> int:
    """Return how many entries were deleted; 0, and a line in the log, if that failed."""
    try:
        return purge()
    except (AuditUnavailable, LedgerUnavailable, QueueUnavailable) as error:
        _log.warning(f"cannot purge {place}", reason=str(error))
    except Exception:  # noqa: BLE001 - housekeeping must not end a process that sends mails
        _log.exception(f"cannot purge {place}")
    return 0
