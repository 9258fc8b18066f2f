"""The port to the dead letters: the mails that limbo gave up on."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from limbo.domain.delivery.verdict import Attempt, Cause
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Undecodable


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A mail in the dead letters; ``buried_at`` in seconds since the epoch."""

    id: str
    mail: Mail | Undecodable
    cause: Cause
    attempts: Sequence[Attempt]
    buried_at: float
    possible_duplicate: bool = False


OnProgress = Callable[[Sequence[str]], object]
"""Told, after each step, which of the ids that were named are done with for good."""


class DeadLetters(Protocol):
    """The mails that limbo gave up on, each with its cause; every queue offers them.

    A dead letter has an id of its own, and is found by its mail's id as well. All methods raise
    QueueUnavailable when the queue does not answer.
    """

    def list(self, limit: int, after: str | None = None) -> Sequence[DeadLetter]:
        """Return up to ``limit`` dead letters, newest first, those after the id ``after``."""
        ...

    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, the newest of that mail, or None if there is none of that id."""
        ...

    def causes(self) -> Sequence[tuple[Cause, int]]:
        """Count the dead letters by cause, the most frequent first."""
        ...

    def select(self, causes: Collection[Cause] | None = None) -> Sequence[str]:
        """Return the ids of all dead letters there are now, or of those of the causes."""
        ...

    def redrive(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Put dead letters back into the queue with no touches; return how many there were.

        Whatever instant it is stopped at, each is in the queue or in the dead letters. A possible
        duplicate stays one. Name many at once: a queue may have to look at all for any.
        """
        ...

    def drop(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Delete dead letters for good; return how many there were."""
        ...
