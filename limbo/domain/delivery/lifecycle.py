"""The statuses of a mail, the events that change them, and one table of the allowed changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum

from limbo.domain.delivery.verdict import Attempt, Cause


class Status(StrEnum):
    """The state of a mail. It only moves forward, except when a dead mail is redriven."""

    SUBMITTING = "submitting"
    """The queue has not confirmed the mail yet. The process that asked may have died."""
    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"
    SENT = "sent"
    DEAD = "dead"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    """The queue did not take the mail, and the client was told so."""

    @property
    def is_final(self) -> bool:
        """True when nothing more happens by itself."""
        return self in {Status.SENT, Status.DEAD, Status.CANCELLED, Status.REFUSED}


class Stop(Enum):
    """Why no further provider may be called for a mail."""

    LEASE_LOST = "lease_lost"
    """Another worker has the mail now."""
    ALREADY_SENT = "already_sent"
    CANCELLED = "cancelled"
    NO_LEDGER = "no_ledger"
    """The ledger cannot record that a provider is called."""
    NEWER = "newer"
    """The mail uses something that only a newer limbo knows. Sending it might leave that out."""
    SEALED = "sealed"
    """The mail is encrypted under a key that this process does not have."""
    SHUTDOWN = "shutdown"
    """The worker is stopping, and starts nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A provider is about to be called. ``started_at`` is in seconds since the epoch."""

    mail_id: str
    sender: str
    started_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Attempts are over, and a status follows. It is SENDING while the touch goes on.

    An acceptance makes the mail SENT, whatever ``status`` says. Otherwise the status counts if it
    comes from the attempt that the ledger saw begin last, or from a touch that called no provider.
    ``next_at`` is the time of the next try, ``cause`` the reason why the mail is dead.
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

    ``possible_duplicate`` is True if the mail may have been sent before: an earlier attempt has no
    known outcome, or the client was told of a refusal and may have submitted the mail again. It is
    None for a mail that the ledger does not know. Such a mail may be sent.
    """

    stop: Stop | None = None
    possible_duplicate: bool | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One change of status: from any of the statuses in ``from_`` to the status ``to``."""

    from_: tuple[Status, ...]
    to: Status


_NOT_FINAL = tuple(status for status in Status if not status.is_final)

ENTERED = Status.SUBMITTING
"""The first status of a mail in a ledger whose queue is asked next."""
SUBMITTED = Status.QUEUED
"""The first status of a mail that queue and ledger take in one step."""
KEEP = Move((Status.SUBMITTING, Status.REFUSED), Status.QUEUED)
"""The queue confirms that it has the mail."""
REFUSE = Move((Status.SUBMITTING,), Status.REFUSED)
"""The queue says that it does not have the mail."""
CANCEL = Move((Status.QUEUED, Status.DEFERRED), Status.CANCELLED)
"""A client cancels the mail."""
REDRIVE = Move((Status.DEAD,), Status.QUEUED)
"""An operator puts a dead letter back into the queue."""
START = Move((*_NOT_FINAL, Status.DEAD, Status.REFUSED), Status.SENDING)
"""A worker is about to call a provider."""
ACCEPT = Move((*_NOT_FINAL, Status.DEAD, Status.CANCELLED, Status.REFUSED), Status.SENT)
"""A provider has accepted the mail, whatever else was recorded of it."""
ENDS: Mapping[Status, Move] = {
    **{status: Move(_NOT_FINAL, status) for status in Status},
    Status.SENT: ACCEPT,
}
"""What an End does, by the status in it."""
STOPS: Mapping[Status, Stop] = {
    Status.SENT: Stop.ALREADY_SENT,
    Status.CANCELLED: Stop.CANCELLED,
}
"""The reason that a worker gets when it asks for a START from one of these statuses."""
PURGEABLE = tuple(s for s in Status if s.is_final or s is Status.SUBMITTING)
"""Statuses of mails that may be deleted: nothing more depends on them."""
UNDER_WAY = (Status.SUBMITTING,)
"""Statuses of a mail under whose idempotency key no answer can be repeated yet."""
FREES_KEY = (Status.REFUSED,)
"""Statuses of a mail whose idempotency key may be used again, for another submission."""


def read_status(text: str) -> Status:
    """Return the status of that name. An unknown name comes from a newer limbo and means SENT.

    This is right because a new status that does not follow on SENT needs a new version of the
    tables.
    """
    try:
        return Status(text)
    except ValueError:
        return Status.SENT
