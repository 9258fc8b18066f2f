"""The dead letters in an SQS queue, which can be browsed only by receiving them all.

A look hides each letter until the look is over, at most for HIDDEN_FOR seconds: two who look at
once, from two processes, each see a part. SQS keeps messages for at most 14 days, and counts them
only roughly, so that a letter of the last minute may be missed.
"""

import heapq
import threading
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from limbo.adapters.encoding.codec import decode_attempts, decode_cause, decode_mail
from limbo.adapters.sqs.channel import SqsChannel
from limbo.adapters.sqs.client import (
    ATTEMPTS,
    BATCH,
    BURIED_AT,
    CAUSE,
    MAIL_ID,
    MAX_BYTES,
    POSSIBLE_DUPLICATE,
    Message,
    Outgoing,
    sqs_client,
)
from limbo.domain.delivery.verdict import Attempt, Cause
from limbo.domain.errors import QueueUnavailable
from limbo.ports.dead_letters import DeadLetter, OnProgress

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HIDDEN_FOR = 120
_AT_ONCE = 8 * BATCH
MOST = 20_000  # letters in one look; FIFO queues have held back further ones from that number on
UNKNOWN_CAUSE = Cause(
    kind="unrecorded", reason="no cause recorded: moved here by SQS itself or by another program"
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
        """Return up to ``limit`` dead letters, newest first, those after the id ``after``.

        With ``after`` it looks twice, rather than hold all of them.
        """
        end: tuple[float, str] | None = None
        if after is not None:
            with closing(self._all()) as batches:
                end = next((_age(m) for batch in batches for m in batch if m.id == after), None)
            if end is None:
                return []
        with closing(self._all()) as batches:
            rest = (m for batch in batches for m in batch if end is None or _age(m) < end)
            return [_letter(message) for message in heapq.nlargest(limit, rest, key=_age)]

    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or None."""
        for messages in self._named([id]):
            return _letter(messages[0])
        return None

    def causes(self) -> Sequence[tuple[Cause, int]]:
        """Count by cause, the most frequent first; it receives them all, so do not poll it."""
        causes = Counter(_cause(message) for batch in self._all() for message in batch)
        return causes.most_common()

    def select(self, causes: Collection[Cause] | None = None) -> Sequence[str]:
        """Return the ids of all, or of those of the causes, oldest first; it receives them all."""
        ages = [
            _age(message)
            for batch in self._all()
            for message in batch
            if causes is None or _cause(message) in causes
        ]
        return [id_ for _, id_ in sorted(ages)]

    def redrive(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Send the letters to the queue, each as a new message, then delete them here.

        On FIFO, the dead letter's own id deduplicates: by the mail's id, SQS would swallow what is
        redriven within five minutes of its submission, while a redrive that was cut short may be
        repeated within five minutes and makes no second mail. A standard queue knows no such thing.
        """
        return self._remove(ids, on_progress, self._send)

    def drop(self, ids: Iterable[str], on_progress: OnProgress | None = None) -> int:
        """Delete the letters."""
        return self._remove(ids, on_progress, lambda messages: messages)

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
                        [*wanted & {name for message in removed for name in _names(message)}]
                    )
                if len(ready) < len(batch):
                    msg = "the queue did not take all of the dead letters"
                    raise QueueUnavailable(msg)
        return count

    def _send(self, messages: Sequence[Message]) -> Sequence[Message]:
        refusals = self._queue.send([_redriven(message) for message in messages])
        return [m for m, refusal in zip(messages, refusals, strict=True) if refusal is None]

    def _named(self, ids: Iterable[str]) -> Generator[Sequence[Message], None, None]:
        """Yield the letters of these ids, in batches, and look no longer than for the last."""
        wanted = {*ids}
        if not wanted:
            return
        with closing(self._all()) as batches:
            for batch in batches:
                if found := [m for m in batch if not wanted.isdisjoint(_names(m))]:
                    yield found
                    wanted.difference_update(*map(_names, found))
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
                    batch = self._dead.receive(_AT_ONCE, wait=wait, hidden_for=HIDDEN_FOR)
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
        mail=decode_mail(message.body, message.attributes.get(MAIL_ID, message.id)),
        cause=_cause(message),
        attempts=_attempts(message),
        buried_at=_buried_at(message),
        possible_duplicate=_may_be_double(message),
    )


def _redriven(message: Message) -> Outgoing:
    """Return what to send: with the mark of a possible duplicate where that still fits."""
    plain = Outgoing(
        body=message.body,
        group=decode_mail(message.body, message.id).id,
        deduplication=message.id,
    )
    marked = replace(plain, attributes={POSSIBLE_DUPLICATE: "true"})
    return marked if _may_be_double(message) and marked.size <= MAX_BYTES else plain


def _names(message: Message) -> tuple[str, str]:
    """Return the ids of the letter and of its mail."""
    mail_id = message.attributes.get(MAIL_ID)
    return message.id, mail_id or decode_mail(message.body, message.id).id


def _may_be_double(message: Message) -> bool:
    """Tell so as well of what limbo did not mark: SQS moves here what was often received."""
    return message.attributes.get(POSSIBLE_DUPLICATE) != "false"


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


def _age(message: Message) -> tuple[float, str]:
    """Return what orders dead letters, the oldest first."""
    return _buried_at(message), message.id


def _buried_at(message: Message) -> float:
    try:
        return float(message.attributes[BURIED_AT])
    except (ValueError, KeyError):
        return message.sent_at
