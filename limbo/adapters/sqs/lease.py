"""The lease of an SQS message, with what SQS does not store about it."""

from dataclasses import dataclass, field

from limbo.adapters.encoding.mail_codec import MailCodec
from limbo.adapters.sqs.letter import POSSIBLE_DUPLICATE
from limbo.adapters.sqs.messages import Message
from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.ports.queue import Lease


@dataclass(slots=True)
class _Term:
    """Until when a lease is valid, by our clock. All copies of the lease share it.

    ``buried`` means that the dead letters have the mail. It only has to be deleted.
    """

    until: float
    buried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SqsLease(Lease):
    """A lease that keeps the raw body, for the dead letters, and its times.

    ``received_at`` is not later than the time at which SQS returned the mail.
    """

    message_id: str
    body: str = field(repr=False)
    received_at: float
    term: _Term = field(compare=False)


@dataclass(frozen=True, slots=True)
class Known:
    """What this process knows of a mail that it had before."""

    touches: int = 0
    evidence: Evidence = NO_EVIDENCE


NEW = Known()


def lease_of(
    message: Message, codec: MailCodec, received_at: float, hidden_for: int, known: Known
) -> SqsLease:
    """Return the lease of a message just received.

    How often SQS gave it out says nothing against the mail: it counts restarts and throttles too.
    """
    received = max(0, message.receive_count - 1)
    return SqsLease(
        mail=codec.decode(message.body, message.id),
        receipt=message.receipt,
        touches=known.touches,
        evidence=known.evidence,
        possible_duplicate=received > 0 or message.attributes.get(POSSIBLE_DUPLICATE) == "true",
        message_id=message.id,
        body=message.body,
        received_at=received_at,
        term=_Term(received_at + hidden_for),
    )


def own_lease(lease: Lease) -> SqsLease:
    """Return the lease as one of this queue. Raises TypeError for another queue's lease."""
    if not isinstance(lease, SqsLease):
        msg = "the lease is of another queue"
        raise TypeError(msg)
    return lease
