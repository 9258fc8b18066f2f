"""The dead letters in an SQS queue. The only way to read them is to receive them all.

A look hides each letter until the look is over, at most for HIDDEN_FOR seconds. If two processes
look at the same time, each sees a part. SQS keeps messages for at most 14 days. Its counts are
approximate, so a letter of the last minute may be missed.
"""

import heapq
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec, concerns, key_name
from limbo.adapters.sqs.channel import SqsChannel
from limbo.adapters.sqs.client import BATCH
from limbo.adapters.sqs.letter import (
    age_of,
    cause_of,
    died_of,
    names_of,
    read_entry,
    read_letter,
    redriven,
)
from limbo.adapters.sqs.messages import Message
from limbo.domain.delivery.causes import most_frequent
from limbo.domain.delivery.verdict import Cause
from limbo.domain.errors import QueueUnavailable
from limbo.ports.dead_letters import (
    AddressedLetters,
    DeadLetter,
    DeadLetterEntry,
    OnProgress,
)
from limbo.ports.queue import Undecodable
from limbo.ports.stored_bodies import KeyCounts

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HIDDEN_FOR = 120
_AT_ONCE = 8 * BATCH
MOST = 20_000  # letters in one look; FIFO queues stop delivering at this many hidden messages


class SqsDeadLetters:
    """The DeadLetters in the dead-letter queue of an SqsQueue, and the StoredBodies there."""

    def __init__(
        self,
        client: "SQSClient",
        queue: str,
        dead_letter_queue: str,
        *,
        patience: int = 1,
        codec: MailCodec = PLAIN,
    ) -> None:
        """``patience`` is how many seconds a look waits for letters that SQS has not counted."""
        self._queue = SqsChannel(client, queue)
        self._dead = SqsChannel(client, dead_letter_queue)
        self._patience = patience
        self._codec = codec
        self._looking = threading.Lock()

    def list(
        self, limit: int, after: str | None = None, cause: str | None = None
    ) -> Sequence[DeadLetterEntry]:
        """Return up to ``limit`` dead letters, newest first, starting behind the id ``after``.

        With ``after`` it reads all letters twice, instead of keeping them all in memory.
        """
        end: tuple[float, str] | None = None
        if after is not None:
            with closing(self._all()) as batches:
                end = next((age_of(m) for batch in batches for m in batch if m.id == after), None)
            if end is None:
                return []
        with closing(self._all()) as batches:
            rest = (
                message
                for batch in batches
                for message in batch
                if (end is None or age_of(message) < end) and died_of(message, cause)
            )
            return [read_entry(message) for message in heapq.nlargest(limit, rest, key=age_of)]

    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or None."""
        for messages in self._named([id]):
            return read_letter(messages[0], self._codec)
        return None

    def causes(self, limit: int) -> Sequence[tuple[Cause, int]]:
        """Count by cause, the most frequent first. It receives all letters, so do not poll it."""
        return most_frequent(
            (cause_of(message) for batch in self._all() for message in batch), limit
        )

    def select(self, cause: str | None = None) -> Sequence[str]:
        """Return the ids of all letters, or of those with this cause, oldest first."""
        ages = [
            age_of(message) for batch in self._all() for message in batch if died_of(message, cause)
        ]
        return [id_ for _, id_ in sorted(ages)]

    def redrive(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Send the letters to the queue, each as a new message, then delete them here.

        On FIFO, the dead letter's own id deduplicates. With the mail's id, SQS would drop a redrive
        within five minutes of the submission. With the letter's id, an interrupted redrive can be
        repeated within five minutes and makes no second mail. Standard queues do not deduplicate.
        """
        return self._remove(ids, on_progress, self._send)

    def drop(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Delete the letters."""
        return self._remove(ids, on_progress, lambda messages: messages)

    def of_address(self, address: str) -> AddressedLetters:
        """Receive all letters, and look through them."""
        ids, unreadable = [], 0
        with closing(self._all()) as batches:
            for message in (message for batch in batches for message in batch):
                mail = self._codec.decode(message.body, message.id)
                if concerns(mail, message.body, address):
                    ids.append(message.id)
                unreadable += isinstance(mail, Undecodable) and mail.is_sealed
        return AddressedLetters(ids=ids, unreadable=unreadable)

    def count(self) -> Mapping[str, KeyCounts]:
        """Receive all letters, and count them by the key that encrypts them."""
        names = (key_name(message.body) for batch in self._all() for message in batch)
        return {"dead_letters": Counter(names)}

    def purge(self, *, before: float, limit: int) -> int:  # noqa: ARG002
        """Return 0: SQS deletes them by itself, after its MessageRetentionPeriod."""
        return 0

    def _remove(
        self,
        ids: Iterable[str],
        on_progress: OnProgress | None,
        before: Callable[[Sequence[Message]], Sequence[Message]],
    ) -> int:
        wanted = {*ids}
        count = 0
        with closing(self._named(wanted)) as batches:
            for batch in batches:
                ready = before(batch)
                lost = self._dead.delete([message.receipt for message in ready])
                removed = [message for message in ready if message.receipt not in lost]
                count += len(removed)
                if on_progress is not None:
                    on_progress(
                        [*wanted & {name for message in removed for name in names_of(message)}]
                    )
                if len(ready) < len(batch):
                    msg = "the queue did not take all of the dead letters"
                    raise QueueUnavailable(msg)
        return count

    def _send(self, messages: Sequence[Message]) -> Sequence[Message]:
        refusals = self._queue.send([redriven(message) for message in messages])
        return [m for m, refusal in zip(messages, refusals, strict=True) if refusal is None]

    def _named(self, ids: Iterable[str]) -> Generator[Sequence[Message], None, None]:
        """Yield the letters with these ids, in batches. Stop looking once all are found."""
        wanted = {*ids}
        if not wanted:
            return
        with closing(self._all()) as batches:
            for batch in batches:
                if found := [m for m in batch if not wanted.isdisjoint(names_of(m))]:
                    yield found
                    wanted.difference_update(*map(names_of, found))
                if not wanted:
                    return

    def _all(self) -> Generator[Sequence[Message], None, None]:
        """Receive in batches until nothing new comes. Then show again what was not deleted."""
        held: dict[str, str] = {}
        with self._looking:
            expected = self._dead.counts()[0]
            try:
                while len(held) < MOST:
                    # A long poll asks all servers of SQS. A short poll is enough once all letters
                    # are here.
                    wait = 0 if 0 < expected <= len(held) else self._patience
                    batch = self._dead.receive(_AT_ONCE, wait=wait, hidden_for=HIDDEN_FOR)
                    fresh = [message for message in batch if message.id not in held]
                    held |= {message.id: message.receipt for message in batch}
                    if not fresh:
                        break
                    yield fresh
            finally:
                with suppress(QueueUnavailable):  # without this they come back later, by themselves
                    self._dead.change_visibility(dict.fromkeys(held.values(), 0))
