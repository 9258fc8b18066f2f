"""The port to the audit: what admins did."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from limbo.domain.access.audit import AuditEntry, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Selects entries that meet all given conditions.

    ``since`` is in seconds since the epoch. ``after`` is the id of the last entry of the page
    before.
    """

    who: str | None = None
    action: str | None = None
    since: float | None = None
    after: str | None = None
    limit: int = 50


class AuditLog(Protocol):
    """Keeps what admins did. Any thread may call it. Its methods raise AuditUnavailable."""

    def begin(self, entry: AuditEntry) -> None:
        """Record durably what is about to be done."""
        ...

    def end(self, id: str, result: Result, count: int | None) -> None:  # noqa: A002
        """Record how it ended."""
        ...

    def page(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """Return up to ``query.limit`` entries, newest first."""
        ...

    def purge(self, *, before: float, limit: int) -> int:
        """Delete up to ``limit`` entries of actions begun before. Return how many."""
        ...
