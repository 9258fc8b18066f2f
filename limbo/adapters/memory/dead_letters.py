"""The dead letters of a queue in memory."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from limbo.domain.delivery.causes import most_frequent
from limbo.domain.delivery.verdict import Cause, Death
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import Mail
from limbo.ports.dead_letters import AddressedLetters, DeadLetter, DeadLetterEntry, OnProgress
from limbo.ports.queue import Lease


class MemoryDeadLetters:
    """The dead letters of a MemoryQueue, stored from oldest to newest."""

    def __init__(
        self, *, redrive: Callable[[Sequence[DeadLetter]], object], now: Callable[[], float]
    ) -> None:
        self._redrive = redrive
        self._now = now
        self._letters: dict[str, DeadLetter] = {}
        self._lock = threading.Lock()

    def add(self, lease: Lease, death: Death) -> None:
        """Store the mail of the lease, and why it died."""
        buried_at = self._now()
        letter = DeadLetter(
            id=mail_id(buried_at),
            mail_id=lease.mail.id,
            mail=lease.mail,
            submitted_at=lease.mail.submitted_at if isinstance(lease.mail, Mail) else None,
            cause=death.cause,
            attempts=tuple(death.attempts),
            buried_at=buried_at,
            possible_duplicate=lease.possible_duplicate,
        )
        with self._lock:
            self._letters[letter.id] = letter

    def list(
        self, limit: int, after: str | None = None, cause: str | None = None
    ) -> Sequence[DeadLetterEntry]:
        """Return up to ``limit`` dead letters, newest first, starting behind the id ``after``."""
        with self._lock:
            newest_first = iter(reversed(self._letters.values()))
            if after is not None:
                newest_first = itertools.dropwhile(lambda letter: letter.id != after, newest_first)
                next(newest_first, None)
            wanted = (letter for letter in newest_first if _died_of(letter, cause))
            return [*itertools.islice(wanted, limit)]

    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or None."""
        with self._lock:
            return self._letters.get(id) or next(
                (x for x in reversed(self._letters.values()) if x.mail.id == id), None
            )

    def causes(self, limit: int) -> Sequence[tuple[Cause, int]]:
        """Count by cause, the most frequent first."""
        with self._lock:
            return most_frequent((letter.cause for letter in self._letters.values()), limit)

    def select(self, cause: str | None = None) -> Sequence[str]:
        """Return the ids of all dead letters, or of those with this cause, oldest first."""
        with self._lock:
            return [letter.id for letter in self._letters.values() if _died_of(letter, cause)]

    def kinds(self) -> Mapping[str, int]:
        """Count by kind of cause."""
        with self._lock:
            return Counter(letter.cause.kind for letter in self._letters.values())

    def redrive(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Put the mails back into the queue, as if they had just been submitted."""
        return self._take_out(ids, self._redrive, on_progress)

    def drop(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Delete the dead letters."""
        return self._take_out(ids, lambda _: None, on_progress)

    def of_address(self, address: str) -> AddressedLetters:
        """Look through all letters. What is no mail has no address."""
        with self._lock:
            mails = ((letter.id, letter.mail) for letter in self._letters.values())
            ids = [id_ for id_, mail in mails if isinstance(mail, Mail) and mail.is_of(address)]
            return AddressedLetters(ids=ids)

    def purge(self, *, before: float, limit: int) -> int:
        """Delete the oldest letters."""
        with self._lock:
            old = (x.id for x in self._letters.values() if x.buried_at < before)
            ids = [*itertools.islice(old, limit)]
            for id_ in ids:
                del self._letters[id_]
            return len(ids)

    def _take_out(
        self,
        ids: Iterable[str],
        put: Callable[[Sequence[DeadLetter]], object],
        on_progress: OnProgress | None,
    ) -> int:
        wanted = {*ids}
        with self._lock:
            letters = [
                x for x in self._letters.values() if not wanted.isdisjoint((x.id, x.mail.id))
            ]
            for letter in letters:
                del self._letters[letter.id]
        put(letters)
        if on_progress is not None:
            on_progress([*wanted & {name for x in letters for name in (x.id, x.mail.id)}])
        return len(letters)


def _died_of(letter: DeadLetter, cause: str | None) -> bool:
    return cause is None or letter.cause.matches(cause)
