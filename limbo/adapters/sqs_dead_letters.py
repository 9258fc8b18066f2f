"""The dead letters in an SQS queue, which can be browsed only by receiving them all.

A look hides each letter until the look is over, at most for HIDDEN_FOR seconds: two who look at
once, from two processes, each see a part. SQS keeps messages for at most 14 days, and counts them
only roughly, so that a letter of the last minute may be missed.
"""

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Self

from limbo.adapters.codec import decode_attempts, decode_cause, decode_mail
from limbo.adapters.sqs import (
    ATTEMPTS,
    BATCH,
    BURIED_AT,
    CAUSE,
    POSSIBLE_DUPLICATE,
    Message,
    Outgoing,
    sqs_client,
)
from limbo.adapters.sqs_channel import SqsChannel
from limbo.domain.errors import QueueUnavailable
from limbo.domain.verdict import Attempt, Cause
from limbo.ports.queue import DeadLetter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HIDDEN_FOR = 120
MOST = 20_000  # letters in one look; FIFO queues have held back further ones from that number on
UNKNOWN_CAUSE = Cause(
    kind="unknown", reason="no cause recorded: moved here by SQS itself or by another program"
)


class SqsDeadLetters:
    """DeadLetters in the dead-letter queue of an SqsQueue."""

    def __init__(
        self, client: "SQSClient", queue: str, dead_letter_queue: str, *, patience: int = 1
    ) -> None:
        """``patience`` is for how many seconds a look waits for letters that are not counted."""
        self._queue = SqsChannel(client, queue)
        self._dead = SqsChannel(client, dead_letter_queue)
        self._patience = patience
        self._looking = threading.Lock()

    @classmethod
    def connect(cls, queue: str, dead_letter_queue: str, *, region: str | None) -> Self:
        """Build from names or URLs; nothing is asked of SQS before the first call."""
        return cls(sqs_client(region), queue, dead_letter_queue)

    def list(self, limit: int, after: str | None = None) -> Sequence[DeadLetter]:
        """Return up to ``limit`` dead letters, newest first, those after the id ``after``."""
        letters = [_letter(message) for batch in self._all() for message in batch]
        letters.sort(key=lambda letter: (letter.buried_at, letter.id), reverse=True)
        start = 0
        if after is not None:
            ids = [letter.id for letter in letters]
            start = ids.index(after) + 1 if after in ids else len(ids)
        return letters[start : start + limit]

    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or None."""
        for messages in self._named([id]):
            return _letter(messages[0])
        return None

    def causes(self) -> Sequence[tuple[Cause, int]]:
        """Count by cause, the most frequent first; it receives them all, so do not poll it."""
        causes = Counter(_cause(message) for batch in self._all() for message in batch)
        return causes.most_common()

    def redrive(self, ids: Iterable[str]) -> int:
        """Send the letters to the queue, each as a new message, then delete them here.

        On FIFO, the dead letter's own id deduplicates: by the mail's id, SQS would swallow what is
        redriven within five minutes of its submission, while a redrive that was cut short may be
        repeated and makes no second mail.
        """
        return self._remove(ids, self._send)

    def drop(self, ids: Iterable[str]) -> int:
        """Delete the letters."""
        return self._remove(ids, lambda messages: messages)

    def _remove(
        self, ids: Iterable[str], before: Callable[[Sequence[Message]], Sequence[Message]]
    ) -> int:
        count = 0
        with closing(self._named(ids)) as batches:
            for batch in batches:
                done = before(batch)
                lost = self._dead.delete([message.receipt for message in done])
                count += len(done) - len(lost)
                if len(done) < len(batch):
                    msg = "the queue did not take all of the dead letters"
                    raise QueueUnavailable(msg)
        return count

    def _send(self, messages: Sequence[Message]) -> Sequence[Message]:
        refusals = self._queue.send(
            [
                Outgoing(
                    body=message.body,
                    group=decode_mail(message.body, message.id).id,
                    deduplication=message.id,
                )
                for message in messages
            ]
        )
        return [m for m, refusal in zip(messages, refusals, strict=True) if refusal is None]

    def _named(self, ids: Iterable[str]) -> Generator[Sequence[Message], None, None]:
        """Yield the letters of these ids, in batches, and look no longer than for the last."""
        wanted = {*ids}
        if not wanted:
            return
        with closing(self._all()) as batches:
            for batch in batches:
                if found := [message for message in batch if message.id in wanted]:
                    yield found
                    wanted -= {message.id for message in found}
                if not wanted:
                    return

    def _all(self) -> Generator[Sequence[Message], None, None]:
        """Receive until nothing new comes, in batches, and give back what is still there."""
        held: dict[str, str] = {}
        with self._looking:
            expected = self._dead.counts()[0]
            try:
                while len(held) < MOST:
                    # A long poll asks every server of SQS; a short one is for when all is here.
                    wait = 0 if 0 < expected <= len(held) else self._patience
                    batch = self._dead.receive(BATCH, wait=wait, hidden_for=HIDDEN_FOR)
                    fresh = [message for message in batch if message.id not in held]
                    held |= {message.id: message.receipt for message in batch}
                    if not fresh:
                        break
                    yield fresh
            finally:
                with suppress(QueueUnavailable):  # they come back by themselves, only later
                    self._dead.change_visibility(dict.fromkeys(held.values(), 0))


def _letter(message: Message) -> DeadLetter:
    return DeadLetter(
        id=message.id,
        mail=decode_mail(message.body, message.id),
        cause=_cause(message),
        attempts=_attempts(message),
        buried_at=_buried_at(message),
        possible_duplicate=message.attributes.get(POSSIBLE_DUPLICATE) == "true",
    )


def _cause(message: Message) -> Cause:
    try:
        return decode_cause(message.attributes[CAUSE])
    except (ValueError, KeyError, TypeError):
        return UNKNOWN_CAUSE


def _attempts(message: Message) -> Sequence[Attempt]:
    try:
        return decode_attempts(message.attributes[ATTEMPTS])
    except (ValueError, KeyError, TypeError):
        return ()


def _buried_at(message: Message) -> float:
    try:
        return float(message.attributes[BURIED_AT])
    except (ValueError, KeyError):
        return message.sent_at
