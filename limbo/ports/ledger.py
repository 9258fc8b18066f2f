"""The ports to the ledger: what became of each mail."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Protocol

from limbo.domain.mail import Mail
from limbo.domain.verdict import Attempt, Cause


class Status(StrEnum):
    """Where a mail is in its life; it only moves forward, but for a redrive of a dead mail."""

    SUBMITTING = "submitting"
    """The queue has not said yet whether it took it; whoever asked it may have died."""
    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"
    SENT = "sent"
    DEAD = "dead"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """The queue did not take it, and the client was told so."""

    @property
    def is_settled(self) -> bool:
        """True when nothing more happens by itself."""
        return self in {Status.SENT, Status.DEAD, Status.CANCELLED, Status.REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A provider is about to be called; ``started_at`` in seconds since the epoch."""

    mail_id: str
    sender: str
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Attempts are over, and a status follows: SENDING while the touch goes on.

    An acceptance makes it SENT whatever ``status`` says; else the status follows from the attempt
    that was begun last, in the order in which the ledger heard of them, or from a touch that called
    nobody. ``next_at`` is when the mail is tried again, ``cause`` why it is dead.
    """

    mail_id: str
    status: Status
    at: float
    attempts: Sequence[Attempt] = ()
    cause: Cause | None = None
    next_at: float | None = None
    possible_duplicate: bool = False


class Leave(Enum):
    """What the ledger says to somebody who is about to call a provider."""

    GO = "go"
    ALREADY_SENT = "already_sent"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer to a Start.

    ``possible_duplicate`` says that an earlier attempt may have sent the mail: it has no outcome,
    or none that is known, or the client was told that the mail is refused and may have submitted
    it again. It is None for a mail that the ledger does not know, which may go.
    """

    leave: Leave = Leave.GO
    possible_duplicate: bool | None = None


class Ledger(Protocol):
    """Writes down what a worker does. Methods raise LedgerUnavailable, and come from any thread."""

    def write(self, events: Sequence[Start | End]) -> list[Begun | None]:
        """Record the events in one step; answer each Start, in order, with what is known.

        A Start that may not go leaves no trace.
        """
        ...

    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:
        """Forget up to ``limit`` bodies and records of mails submitted before; return how many.

        Only settled mails lose anything, and those that nobody ever put into the queue. Attempts
        go with their record, idempotency keys after 24 hours.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
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
    tries: Sequence[Try] = ()
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


class Archive(Protocol):
    """What clients see and do. Methods raise LedgerUnavailable, and come from any thread."""

    def find(self, id: str, client: str | None) -> Record | None:  # noqa: A002
        """Return the entry with its tries, or None if that client has none of that id."""
        ...

    def page(self, query: Query) -> Sequence[Record]:
        """Return up to ``query.limit`` entries, newest first, without their tries and mails."""
        ...

    def cancel(self, id: str, client: str | None) -> Status | None:  # noqa: A002
        """Cancel a mail that is queued or deferred; return its status now, None if there is none.

        From CANCELLED on no provider is called: whoever asks the ledger is told.
        """
        ...
