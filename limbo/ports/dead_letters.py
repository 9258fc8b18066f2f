"""The port to the dead letters: the mails that limbo gave up on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from limbo.domain.delivery.verdict import Attempt, Cause
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Undecodable


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterEntry:
    """A dead letter in a list: why and when its mail died. The mail itself is not read.

    Times are in seconds since the epoch. ``mail_id`` of what is no mail is the queue's id for it,
    and its ``submitted_at`` is None. A queue that cannot tell gives None too.
    """

    id: str
    mail_id: str
    cause: Cause
    attempts: Sequence[Attempt]
    buried_at: float
    submitted_at: float | None = None
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(DeadLetterEntry):
    """A dead letter with its mail."""

    mail: Mail | Undecodable


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressedLetters:
    """The ids of the dead letters that name an address.

    ``unreadable`` counts the encrypted ones whose key is missing: they may name it too.
    """

    ids: Sequence[str]
    unreadable: int = 0


OnProgress = Callable[[Sequence[str]], object]
"""Gets, after each step, those of the given ids that are finished for good."""


class DeadLetters(Protocol):
    """The mails that limbo gave up on, each with its cause. Every queue offers them.

    A dead letter has its own id, and can be found by its mail's id too. A ``cause`` is named by its
    id, or by its kind, which means all causes of that kind. All methods raise QueueUnavailable when
    the queue does not answer.
    """

    def list(
        self, limit: int, after: str | None = None, cause: str | None = None
    ) -> Sequence[DeadLetterEntry]:
        """Return up to ``limit`` dead letters, newest first, starting behind the id ``after``."""
        ...

    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or a mail's newest one, or None if no letter has that id."""
        ...

    def causes(self, limit: int) -> Sequence[tuple[Cause, int]]:
        """Count the dead letters by cause: the ``limit`` most frequent ones, that one first.

        Causes with the same id are one, shown by any of them.
        """
        ...

    def select(self, cause: str | None = None) -> Sequence[str]:
        """Return the ids of all current dead letters, or of those that died of this cause."""
        ...

    def redrive(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Put dead letters back into the queue with no touches. Return how many there were.

        If it is stopped at any moment, each mail is still in the queue or in the dead letters. A
        possible duplicate remains one. Pass many ids at once: some queues have to read all dead
        letters to find one.
        """
        ...

    def drop(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Delete dead letters for good. Return how many there were."""
        ...

    def of_address(self, address: str) -> AddressedLetters:
        """Look through all dead letters for mails from or to an address, in its ASCII form."""
        ...

    def purge(self, *, before: float, limit: int) -> int:
        """Delete up to ``limit`` letters buried before that time, oldest first. Return how many.

        It returns 0 if the queue deletes old letters by itself (SQS).
        """
        ...
