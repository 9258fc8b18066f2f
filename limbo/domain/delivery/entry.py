"""How events change a mail's entry in a ledger, independent of its storage."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from limbo.domain.delivery.lifecycle import (
    ACCEPT,
    ENDS,
    START,
    STOPS,
    End,
    Move,
    Start,
    StartReply,
    Status,
)
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause


@dataclass(slots=True)
class Entry:
    """The part of an entry that events change.

    ``last_start`` is the ``started_at`` of the Start that reached the ledger last, whatever the
    workers' clocks say. ``unfinished`` holds the sender and start of each attempt without an
    outcome. ``changed`` means that an event set the status, with its time and cause. ``marked``
    means that an event made the mail a possible duplicate.
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
        """Decide whether the provider may be called. If it may, record the attempt."""
        if self.status not in START.from_:
            return StartReply(STOPS[self.status])
        this = (start.sender, start.started_at)
        self.unfinished.discard(this)  # the same Start may be written twice
        # A client that was told of the refusal may have submitted the mail again.
        unfinished = bool(self.unfinished) or self.status is Status.REFUSED
        self.unfinished.add(this)
        self._mark(possible_duplicate=unfinished)
        self.last_start = start.started_at
        self.move(START, start.started_at)
        return StartReply(possible_duplicate=self.possible_duplicate)

    def end(self, end: End) -> None:
        """Record the outcomes. Record the status too, unless the mail is already past it."""
        self._mark(possible_duplicate=end.possible_duplicate)
        move = ENDS[end.status]
        for attempt in end.attempts:
            self.unfinished.discard((attempt.sender, attempt.started_at))
            if isinstance(attempt.verdict, Accepted):
                move = ACCEPT
        if move is ACCEPT:
            self.move(ACCEPT, end.at)
        elif self._says_what_follows(end.attempts):
            self.move(move, end.at, next_at=end.next_at, cause=end.cause)

    def move(
        self, move: Move, at: float, *, next_at: float | None = None, cause: Cause | None = None
    ) -> None:
        """Set the status that the move leads to, if the move is allowed from the current status."""
        if self.status in move.from_:
            self.status = move.to
            self.updated_at = max(self.updated_at, at)
            self.next_at = next_at
            self.cause = cause
            self.changed = True

    def _says_what_follows(self, attempts: Sequence[Attempt]) -> bool:
        """Tell whether these attempts decide the status: no other attempt has begun since.

        A touch without a call also decides it. Otherwise a mail whose worker died during a send
        would stay SENDING until a provider is free. If such an End arrives while another worker
        sends, the entry is wrong until that send ends. That does little harm, because an acceptance
        always counts.
        """
        if not attempts or self.last_start is None:
            return True
        return any(attempt.started_at == self.last_start for attempt in attempts)

    def _mark(self, *, possible_duplicate: bool) -> None:
        if possible_duplicate and not self.possible_duplicate:
            self.possible_duplicate = self.marked = True
