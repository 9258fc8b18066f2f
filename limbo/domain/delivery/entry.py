"""What the events of a mail's life make of its entry in a ledger, however that is stored."""

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
        if self.status not in START.from_:
            return StartReply(STOPS[self.status])
        this = (start.sender, start.started_at)
        self.unfinished.discard(this)  # the same may be written again
        # A client that was told of the refusal may have submitted the mail again.
        unfinished = bool(self.unfinished) or self.status is Status.REFUSED
        self.unfinished.add(this)
        self._mark(possible_duplicate=unfinished)
        self.last_start = start.started_at
        self.move(START, start.started_at)
        return StartReply(possible_duplicate=self.possible_duplicate)

    def end(self, end: End) -> None:
        """Note the outcomes, and the status unless the mail is past it."""
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
        """Give the mail the status that the move leads to, unless it cannot be made from here."""
        if self.status in move.from_:
            self.status = move.to
            self.updated_at = max(self.updated_at, at)
            self.next_at = next_at
            self.cause = cause
            self.changed = True

    def _says_what_follows(self, attempts: Sequence[Attempt]) -> bool:
        """Tell that no attempt was begun since: else what follows is for that one to say.

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
