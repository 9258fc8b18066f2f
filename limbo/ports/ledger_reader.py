"""The port to what the ledger holds, for those who ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from limbo.domain.delivery.lifecycle import Status
from limbo.domain.delivery.verdict import Attempt, Cause
from limbo.domain.mail.mail import Mail


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAttempt:
    """One attempt as the ledger knows it: without a duration and an outcome until it has ended."""

    sender: str
    started_at: float
    attempt: Attempt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One mail's entry. ``mail`` is None once its body is purged; addresses stay with the entry.

    ``to`` holds everybody who gets the mail, as bare addresses.
    """

    id: str
    client: str
    status: Status
    submitted_at: float
    updated_at: float
    from_: str
    to: Sequence[str]
    subject: str
    mail: Mail | None
    attempts: Sequence[RecordedAttempt] = ()
    next_at: float | None = None
    cause: Cause | None = None
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which entries: all given conditions hold. ``client`` None means everybody's.

    ``to`` is the address of anybody who gets the mail, in ASCII form and in any case. ``since`` is
    in seconds since the epoch, and ``after`` is the id of the last entry of the page before.
    """

    client: str | None
    status: Status | None = None
    to: str | None = None
    since: float | None = None
    after: str | None = None
    limit: int = 50


class LedgerReader(Protocol):
    """What clients see and do. Methods raise LedgerUnavailable, and come from any thread."""

    def find(self, id: str, client: str | None) -> Record | None:  # noqa: A002
        """Return the entry with its attempts, or None if that client has none of that id."""
        ...

    def page(self, query: Query) -> Sequence[Record]:
        """Return up to ``query.limit`` entries, newest first, without their attempts and mails."""
        ...

    def cancel(self, id: str, client: str | None) -> Status | None:  # noqa: A002
        """Cancel a mail that is queued or deferred; return its status now, None if there is none.

        Once it is CANCELLED no provider is called: each worker asks the ledger before.
        """
        ...
