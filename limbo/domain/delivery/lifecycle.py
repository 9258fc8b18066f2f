"""What an event makes of a mail's entry: the rules that every ledger keeps, without its storage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from limbo.domain.delivery.verdict import Accepted, Attempt, Cause


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


class Stop(Enum):
    """Why no further provider may be called for a mail."""

    LEASE_LOST = "lease_lost"
    """It is another worker's now."""
    ALREADY_SENT = "already_sent"
    CANCELLED = "cancelled"
    NO_LEDGER = "no_ledger"
    """It cannot be written down that a provider is called."""


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
    """A change of status that no worker makes, and from which statuses it may be made."""

    from_: tuple[Status, ...]
    to: Status


KEEP = Move((Status.SUBMITTING, Status.REFUSED), Status.QUEUED)
"""The queue says that it has the mail."""
REFUSE = Move((Status.SUBMITTING,), Status.REFUSED)
"""The queue says that it has not."""
CANCEL = Move((Status.QUEUED, Status.DEFERRED), Status.CANCELLED)
"""A client does not want it sent any more."""
REDRIVE = Move((Status.DEAD,), Status.QUEUED)
"""An operator puts a dead letter back into the queue."""
PURGEABLE = tuple(s for s in Status if s.is_settled or s is Status.SUBMITTING)


def read_status(text: str) -> Status:
    """Return the status of that name; one that only a newer limbo knows says more of a sent mail.

    Whoever adds a status that does not follow on SENT has to raise the version of the tables.
    """
    try:
        return Status(text)
    except ValueError:
        return Status.SENT


@dataclass(slots=True)
class Entry:
    """What changes of an entry.

    ``last_start`` is the ``started_at`` of the Start that was heard last, whatever the workers'
    clocks say, and ``unfinished`` are the senders and starts of attempts without an outcome.
    ``changed`` says that an event gave it a status, with the time and the cause that go with it,
    and ``marked`` that one made it a possible duplicate.
    """

    status: Status
    updated_at: float
    last_start: float | None = None
    next_at: float | None = None
    cause: Cause | None = None
    possible_duplicate: bool = False
    unfinished: set[tuple[str, float]] = field(default_factory=set)
    changed: bool = False
    marked: bool = False

    def begin(self, start: Start) -> StartReply:
        """Say whether the provider may be called, and if so note that it is."""
        match self.status:
            case Status.SENT:
                return StartReply(Stop.ALREADY_SENT)
            case Status.CANCELLED:
                return StartReply(Stop.CANCELLED)
            case _:
                pass
        this = (start.sender, start.started_at)
        self.unfinished.discard(this)  # somebody may write the same again
        # Who was told that a mail is refused may have submitted it again.
        unfinished = bool(self.unfinished) or self.status is Status.REFUSED
        self.unfinished.add(this)
        self._mark(possible_duplicate=unfinished)
        self.last_start = start.started_at
        self._become(Status.SENDING, start.started_at)
        return StartReply(possible_duplicate=self.possible_duplicate)

    def end(self, end: End) -> None:
        """Note the outcomes, and the status unless the mail is past it."""
        self._mark(possible_duplicate=end.possible_duplicate)
        status = end.status
        for attempt in end.attempts:
            self.unfinished.discard((attempt.sender, attempt.started_at))
            if isinstance(attempt.verdict, Accepted):
                status = Status.SENT
        if status is Status.SENT:
            if self.status is not Status.SENT:
                self._become(Status.SENT, end.at)
        elif not self.status.is_settled and self._says_what_follows(end.attempts):
            self._become(status, end.at, next_at=end.next_at, cause=end.cause)

    def move(self, status: Status, at: float) -> None:
        """Give the mail another status, as no worker does."""
        self._become(status, at)

    def _says_what_follows(self, attempts: Sequence[Attempt]) -> bool:
        """Tell that nobody began since: else the mail is in the hands of whoever did.

        A touch that called nobody is believed, or a mail whose worker died amid a send would be
        SENDING for as long as no provider is free. Should it end late, while another sends, the
        entry is wrong until that one ends: the lesser harm, as an acceptance counts all the same.
        """
        if not attempts or self.last_start is None:
            return True
        return any(attempt.started_at == self.last_start for attempt in attempts)

    def _mark(self, *, possible_duplicate: bool) -> None:
        if possible_duplicate and not self.possible_duplicate:
            self.possible_duplicate = self.marked = True

    def _become(
        self,
        status: Status,
        at: float,
        *,
        next_at: float | None = None,
        cause: Cause | None = None,
    ) -> None:
        self.status = status
        self.updated_at = max(self.updated_at, at)
        self.next_at = next_at
        self.cause = cause
        self.changed = True
