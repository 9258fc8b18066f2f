"""A queue on SQS, FIFO or standard, with a second SQS queue for its dead letters.

SQS counts receives, and a message cannot be changed. So touches and evidence are those with which
this process released the mail. A mail that several workers had is touched more often before it is
buried. But none is buried for a throttle, a restart or a probe. Each mail that was received before
is a possible duplicate, because SQS cannot tell a crash from a retry. A mail redriven from the dead
letters is one if its message says so.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec
from limbo.adapters.sqs.channel import SqsChannel
from limbo.adapters.sqs.client import LONG_POLL
from limbo.adapters.sqs.lease import NEW, Known, SqsLease, lease_of, own_lease
from limbo.adapters.sqs.letter import attributes_of
from limbo.adapters.sqs.messages import Outgoing, Refusal
from limbo.domain.delivery.verdict import Death
from limbo.domain.errors import QueueUnavailable
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import ANY_KIND, Depth, Kept, Lease, NotKept

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

ATTRIBUTES_ROOM = 16 * 1024  # what a dead letter may need in addition to its mail
# SQS hides a message for at most 12 h after a receive. The minute allows for different clocks.
MAX_HIDDEN = 12 * 3600 - 60
REMEMBERED = 100_000  # mails of which a process remembers what it knows


class SqsQueue:
    """A MailQueue on SQS. It works with names that end in .fifo or not, also mixed.

    Except in ``ack``, a lease that has run out by our clock is lost, without asking SQS. Standard
    queues accept old receipts, and would take the mail away from the worker that has it now.
    """

    def __init__(
        self,
        client: "SQSClient",
        queue: str,
        dead_letter_queue: str,
        *,
        lease_seconds: float = 60.0,
        now: Callable[[], float] = time.time,
        codec: MailCodec = PLAIN,
    ) -> None:
        self._queue = SqsChannel(client, queue)
        self._dead = SqsChannel(client, dead_letter_queue)
        self._lease_seconds = math.ceil(lease_seconds)
        self._now = now
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._codec = codec
        self._remembering = threading.Lock()

    def put(self, mails: Sequence[Mail]) -> list[Kept | NotKept]:
        """Send the mails, each in its own group. In one group, only one worker could have mails.

        The mail's id deduplicates, not its content: two equal mails are two mails.
        """
        messages = [
            Outgoing(body=self._codec.encode(mail).decode(), group=mail.id, deduplication=mail.id)
            for mail in mails
        ]
        return [_kept(refusal) for refusal in self._queue.send(messages, spare=ATTRIBUTES_ROOM)]

    def receive(self, limit: int, wait: float) -> list[Lease]:
        """Lease up to ``limit`` mails. ``wait`` is rounded up to whole seconds.

        A lease starts before the call, because the call does not tell when SQS hid the mail. SQS
        hides the mail longer by the time that the call may wait.
        """
        left = math.ceil(wait)
        while limit > 0:
            poll = min(left, LONG_POLL)
            called_at, hidden_for = self._now(), self._lease_seconds + poll
            messages = self._queue.receive(limit, wait=poll, hidden_for=hidden_for)
            left -= poll
            if messages or left <= 0:
                with self._remembering:
                    known = [self._known.get(message.id, NEW) for message in messages]
                return [
                    lease_of(message, self._codec, called_at, hidden_for, of_it)
                    for message, of_it in zip(messages, known, strict=True)
                ]
        return []

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Delete the mails, even after their leases have run out: they are done.

        A lease that ran out by our clock is returned as lost even if its mail is removed, because
        another worker may have had the mail since.
        """
        owned = [own_lease(lease) for lease in leases]
        now = self._now()
        lost = self._queue.delete([own.receipt for own in owned])
        lost |= {own.receipt for own in owned if own.term.until <= now}
        for own in owned:
            own.term.until = 0
        return [lease for lease in leases if lease.receipt in lost]

    def release(self, lease: Lease, delay: float) -> None:
        """Show the mail again in ``delay`` seconds, rounded up, or as late as SQS allows."""
        if not self._for_those_held([lease], lambda good: self._hide(good, delay), until=0):
            self._remember(own_lease(lease))

    def bury(self, lease: Lease, death: Death) -> None:
        """Send the raw body to the dead letters, then delete it here.

        After a crash in between, the mail is in both. On FIFO, burying it again within five minutes
        adds no second dead letter, because the message's id deduplicates. If the delete fails, the
        next call only repeats the delete.
        """
        own = own_lease(lease)
        if not own.term.buried:
            if self.extend([lease]):
                return
            self._send_to_the_dead(own, death)
            own.term.buried = True
        self.ack([lease])

    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Restart the time of the leases. Return the leases that were already lost."""
        return self._for_those_held(
            leases,
            lambda good: self._hide(good, self._lease_seconds),
            until=self._now() + self._lease_seconds,
        )

    def check_put(self) -> None:
        """Send a batch of no mails, which SQS refuses, but only if this account may send."""
        self._queue.check_send()

    def depth(self) -> Depth:
        """Return SQS's approximate counts. They show deferred mails as in flight, and no age."""
        ready, in_flight, delayed = self._queue.counts()
        dead = {ANY_KIND: sum(self._dead.counts())}
        return Depth(ready=ready, in_flight=in_flight, deferred=delayed, oldest_age=None, dead=dead)

    def _send_to_the_dead(self, own: SqsLease, death: Death) -> None:
        refusal: Refusal | None = None
        for attributes in attributes_of(own, death, self._now()):
            message = Outgoing(
                body=own.body,
                group=own.mail.id,
                deduplication=own.message_id,
                attributes=attributes,
            )
            [refusal] = self._dead.send([message])
            if refusal is None or not refusal.too_large:
                break
        if refusal is not None:
            msg = f"the dead-letter queue did not take a mail: {refusal.reason}"
            raise QueueUnavailable(msg)

    def _remember(self, lease: SqsLease) -> None:
        with self._remembering:
            self._known[lease.message_id] = Known(lease.touches, lease.evidence)
            self._known.move_to_end(lease.message_id)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def _hide(self, leases: Sequence[SqsLease], seconds: float) -> set[str]:
        """Hide the mails for this many seconds, up to 12 h after they were received."""
        now = self._now()
        return self._queue.change_visibility(
            {
                lease.receipt: math.ceil(max(0, min(seconds, lease.received_at + MAX_HIDDEN - now)))
                for lease in leases
            }
        )

    def _for_those_held(
        self,
        leases: Sequence[Lease],
        call: Callable[[Sequence[SqsLease]], set[str]],
        *,
        until: float,
    ) -> list[Lease]:
        """Do ``call`` for the leases that have not run out, and return all lost leases.

        ``call`` returns the receipts that SQS reports as lost. The other leases are then valid
        until ``until``.
        """
        now = self._now()
        good = [own for own in map(own_lease, leases) if own.term.until > now]
        lost = call(good)
        kept = {own.receipt for own in good} - lost
        for own in good:
            own.term.until = until if own.receipt in kept else 0
        return [lease for lease in leases if lease.receipt not in kept]


def _kept(refusal: Refusal | None) -> Kept | NotKept:
    if refusal is None:
        return Kept()
    return NotKept(reason=refusal.reason, too_large=refusal.too_large, in_doubt=refusal.in_doubt)
