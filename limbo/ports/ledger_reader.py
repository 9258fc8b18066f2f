"""The port through which clients read the ledger."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from limbo.domain.delivery.lifecycle import Status
from limbo.domain.delivery.verdict import Attempt, Cause
from limbo.domain.mail.mail import Mail


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAttempt:
    """One attempt in the ledger. Duration and outcome are missing until it has ended."""

    sender: str
    started_at: float
    attempt: Attempt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One mail's entry. ``mail`` is None once its body is purged; the addresses stay.

    ``to`` holds all recipients, as bare addresses. ``key`` is the id of the API key that submitted
    the mail; None if there was none, or if an older limbo recorded the mail. ``shown`` holds what a
    client sees of the mail, by the names of its fields; it is None where an older limbo has not
    recorded that.
    """

    id: str
    client: str
    key: str | None = None
    status: Status
    submitted_at: float
    updated_at: float
    from_: str
    to: Sequence[str]
    subject: str
    mail: Mail | None
    shown: Mapping[str, object] | None = None
    attempts: Sequence[RecordedAttempt] = ()
    next_at: float | None = None
    cause: Cause | None = None
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Selects entries that meet all given conditions. ``client`` None means all clients.

    ``key`` is the id of an API key. ``to`` is the address of any recipient, in ASCII form and in
    upper or lower case. ``since`` is in seconds since the epoch. ``after`` is the id of the last
    entry of the previous page.
    """

    client: str | None
    key: str | None = None
    status: Status | None = None
    to: str | None = None
    since: float | None = None
    after: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What became of one page of mails that were to be cancelled.

    ``count`` of them are cancelled. ``last`` is the id behind which the next page begins, or None
    if there is none.
    """

    count: int
    last: str | None


class LedgerReader(Protocol):
    """What clients may see and do. Any thread may call it. Its methods raise LedgerUnavailable."""

    def find(self, id: str, client: str | None) -> Record | None:  # noqa: A002
        """Return the entry with its attempts, or None if this client has no mail with that id."""
        ...

    def statuses(self, ids: Collection[str]) -> Mapping[str, Status]:
        """Return the statuses of these mails of any client, by id. Unknown ids are left out.

        It reads nothing but the statuses, because it is asked several times a second.
        """
        ...

    def page(self, query: Query) -> Sequence[Record]:
        """Return up to ``query.limit`` entries, newest first, without attempts and bodies."""
        ...

    def cancel(self, id: str, client: str | None) -> Status | None:  # noqa: A002
        """Cancel a mail that is queued or deferred. Return its status now, or None if unknown.

        No provider is called for a CANCELLED mail, because each worker asks the ledger before a
        call.
        """
        ...

    def cancel_page(self, query: Query) -> Cancelled:
        """Cancel those of ``page(query)`` that are queued or deferred, in one step."""
        ...
