"""A dead letter as a message: the mail's raw body, and attributes that say why it died."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from limbo.adapters.encoding.codec import (
    decode_attempts,
    decode_cause,
    decode_envelope,
    encode_attempts,
    encode_cause,
)
from limbo.adapters.encoding.mail_codec import MailCodec, shown_id
from limbo.adapters.sqs.client import MAX_BYTES
from limbo.adapters.sqs.messages import Message, Outgoing
from limbo.domain.delivery.verdict import Attempt, Cause, Death
from limbo.domain.mail.mail import Mail
from limbo.ports.dead_letters import DeadLetter, DeadLetterEntry
from limbo.ports.queue import Lease

_CAUSE, _ATTEMPTS = "limbo-cause", "limbo-attempts"
_BURIED_AT, _MAIL_ID = "limbo-buried-at", "limbo-mail-id"
POSSIBLE_DUPLICATE = "limbo-possible-duplicate"  # redriven mails carry it too
UNKNOWN_CAUSE = Cause(
    kind="unrecorded", reason="no cause recorded: moved here by SQS itself or by another program"
)


def attributes_of(lease: Lease, death: Death, buried_at: float) -> Iterator[Mapping[str, str]]:
    """Yield attributes for a dead mail: all of them, then fewer, in case they do not fit."""
    essential = {
        _CAUSE: encode_cause(death.cause).decode(),
        _BURIED_AT: repr(buried_at),
        _MAIL_ID: lease.mail.id,
        POSSIBLE_DUPLICATE: "true" if lease.possible_duplicate else "false",
    }
    yield {**essential, _ATTEMPTS: encode_attempts(death.attempts).decode()}
    yield essential
    yield {}


def read_entry(message: Message) -> DeadLetterEntry:
    """Read what a list shows of a message of the dead-letter queue, without parsing its mail."""
    named = message.attributes.get(_MAIL_ID, message.id)
    id_, submitted_at = decode_envelope(message.body) or (named, None)
    return DeadLetterEntry(
        id=message.id,
        mail_id=id_,
        submitted_at=submitted_at,
        cause=cause_of(message),
        attempts=_attempts(message),
        buried_at=_buried_at(message),
        possible_duplicate=_may_be_double(message),
    )


def read_letter(message: Message, codec: MailCodec) -> DeadLetter:
    """Read a message of the dead-letter queue, even if limbo did not put it there."""
    mail = codec.decode(message.body, message.attributes.get(_MAIL_ID, message.id))
    return DeadLetter(
        id=message.id,
        mail_id=mail.id,
        submitted_at=mail.submitted_at if isinstance(mail, Mail) else None,
        mail=mail,
        cause=cause_of(message),
        attempts=_attempts(message),
        buried_at=_buried_at(message),
        possible_duplicate=_may_be_double(message),
    )


def redriven(message: Message) -> Outgoing:
    """Return the message to send. It is marked as a possible duplicate if the mark still fits."""
    plain = Outgoing(
        body=message.body,
        group=shown_id(message.body, message.id),
        deduplication=message.id,
    )
    marked = replace(plain, attributes={POSSIBLE_DUPLICATE: "true"})
    return marked if _may_be_double(message) and marked.size <= MAX_BYTES else plain


def names_of(message: Message) -> tuple[str, str]:
    """Return the ids of the letter and of its mail."""
    mail_id = message.attributes.get(_MAIL_ID)
    return message.id, mail_id or shown_id(message.body, message.id)


def _may_be_double(message: Message) -> bool:
    """Tell whether it is marked, or has no mark: SQS itself moves messages received too often."""
    return message.attributes.get(POSSIBLE_DUPLICATE) != "false"


def cause_of(message: Message) -> Cause:
    """Return why the mail died."""
    try:
        return decode_cause(message.attributes[_CAUSE])
    except (ValueError, KeyError, TypeError):
        return UNKNOWN_CAUSE


def died_of(message: Message, cause: str | None) -> bool:
    """Tell whether the mail died of the cause that is named so, or whether none is named."""
    return cause is None or cause_of(message).matches(cause)


def _attempts(message: Message) -> Sequence[Attempt]:
    try:
        return decode_attempts(message.attributes[_ATTEMPTS])
    except (ValueError, KeyError, TypeError):
        return ()


def age_of(message: Message) -> tuple[float, str]:
    """Return a sort key for dead letters, the oldest first."""
    return _buried_at(message), message.id


def _buried_at(message: Message) -> float:
    try:
        return float(message.attributes[_BURIED_AT])
    except (ValueError, KeyError):
        return message.sent_at
