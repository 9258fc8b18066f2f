"""The statuses of a mail, the events that change them, and one table of which makes which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from limbo.domain.delivery.verdict import Attempt, Cause


class Status(StrEnum):
    """Where a mail is in its life; it only moves forward, but for a redrive of a dead mail."""

    SUBMITTING = "submitting"
    """The queue has not said yet whether it took it; the process that asked may have died."""
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


class Stop(Enum):
    """Why no further provider may be called for a mail."""

    LEASE_LOST = "lease_lost"
    """It is another worker's now."""
    ALREADY_SENT = "already_sent"
    CANCELLED = "cancelled"
    NO_LEDGER = "no_ledger"
    """It cannot be written down that a provider is called."""
    NEWER = "newer"
    """To send what only a newer limbo understands might leave part of it out."""
    SHUTDOWN = "shutdown"
    """The worker is stopping, and starts nothing more."""


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


@dataclass(frozen=True, slots=True)
class StartReply:
    """The answer to a Start: why the provider may not be called, or None if it may.

    ``possible_duplicate`` says that an earlier attempt may have sent the mail: it has no outcome,
    or none that is known, or the client was told that the mail is refused and may have submitted
    it again. It is None for a mail that the ledger does not know, which may go.
    """

    stop: Stop | None = None
    possible_duplicate: bool | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """What one event does: from any of the statuses ``from_`` a mail comes to the status ``to``."""

    from_: tuple[Status, ...]
    to: Status


_UNSETTLED = tuple(status for status in Status if not status.is_settled)

KEEP = Move((Status.SUBMITTING, Status.REFUSED), Status.QUEUED)
"""The queue says that it has the mail."""
REFUSE = Move((Status.SUBMITTING,), Status.REFUSED)
"""The queue says that it has not."""
CANCEL = Move((Status.QUEUED, Status.DEFERRED), Status.CANCELLED)
"""A client does not want it sent any more."""
REDRIVE = Move((Status.DEAD,), Status.QUEUED)
"""An operator puts a dead letter back into the queue."""
START = Move((*_UNSETTLED, Status.DEAD, Status.REFUSED), Status.SENDING)
"""A worker is about to call a provider."""
ACCEPT = Move((*_UNSETTLED, Status.DEAD, Status.CANCELLED, Status.REFUSED), Status.SENT)
"""A provider has the mail, whatever else was said of it."""
ENDS: Mapping[Status, Move] = {
    **{status: Move(_UNSETTLED, status) for status in Status},
    Status.SENT: ACCEPT,
}
"""What an End does, by the status it gives."""
STOPS: Mapping[Status, Stop] = {
    Status.SENT: Stop.ALREADY_SENT,
    Status.CANCELLED: Stop.CANCELLED,
}
"""What a worker is told that wants to START from one of these."""
PURGEABLE = tuple(s for s in Status if s.is_settled or s is Status.SUBMITTING)
"""Statuses of mails that may be forgotten: nothing waits for them."""


def read_status(text: str) -> Status:
    """Return the status of that name; one that only a newer limbo knows says more of a sent mail.

    A new status that does not follow on SENT needs a new version of the tables.
    """
    try:
        return Status(text)
    except ValueError:
        return Status.SENT
