"""Mails and dead letters as clients see them; later versions may add fields."""

from collections.abc import Sequence
from typing import assert_never

from limbo.domain.delivery.lifecycle import SUBMITTED
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed
from limbo.domain.mail.mail import YEAR_10000, Mail
from limbo.entrypoints.http.api.schemas import (
    AttemptShape,
    Causes,
    CauseShape,
    DeadLetterShape,
    MailEntry,
    MailResource,
    SubmittedMail,
)
from limbo.entrypoints.http.api.times import rfc3339, rfc3339_or_none
from limbo.ports.dead_letters import DeadLetterEntry
from limbo.ports.ledger_reader import Record


def submitted_mail(mail: Mail) -> SubmittedMail:
    """Return a mail that has just been kept."""
    return {
        "id": mail.id,
        "status": SUBMITTED,
        "submitted_at": rfc3339(mail.submitted_at),
        **mail.fields.shown(mail),
    }


def mail_entry(record: Record) -> MailEntry:
    """Return an entry of the list of mails; ``to`` holds all recipients: to, cc and bcc."""
    entry: MailEntry = {
        "id": record.id,
        "client": record.client,
        "status": record.status,
        "submitted_at": rfc3339(record.submitted_at),
        "updated_at": rfc3339(record.updated_at),
        "from": record.from_,
        "to": [*record.to],
        "subject": record.subject,
        "possible_duplicate": record.possible_duplicate,
    }
    if record.key is not None:
        entry["key"] = record.key
    if record.next_at is not None:
        entry["next_attempt_at"] = rfc3339(record.next_at)
    if record.cause is not None:
        entry["cause"] = cause_representation(record.cause)
    return entry


def mail_resource(record: Record) -> MailResource:
    """Return all that is known of a mail, except its body."""
    attempts = [
        _attempt_representation(each.sender, each.started_at, each.attempt)
        for each in record.attempts
    ]
    resource: MailResource = {**mail_entry(record), "attempts": attempts}
    if record.mail is not None:
        resource |= record.mail.fields.shown(record.mail)
    return resource


def dead_letter_representation(letter: DeadLetterEntry) -> DeadLetterShape:
    """Return a dead letter, without what a client wrote: addresses, subject, body."""
    representation: DeadLetterShape = {
        "id": letter.id,
        "buried_at": rfc3339_or_none(letter.buried_at),
        "cause": cause_representation(letter.cause),
        "possible_duplicate": letter.possible_duplicate,
        "attempts": [
            _attempt_representation(each.sender, each.started_at, each) for each in letter.attempts
        ],
    }
    if letter.submitted_at is not None:
        representation["mail_id"] = letter.mail_id
        representation["submitted_at"] = rfc3339(letter.submitted_at)
    return representation


def cause_representation(cause: Cause) -> CauseShape:
    """Return a cause of death."""
    return {"id": cause.id, "kind": cause.kind, "provider": cause.sender, "reason": cause.reason}


def causes_representation(counts: Sequence[tuple[Cause, int]]) -> Causes:
    """Return how many mails died of each cause."""
    return {
        "data": [{"cause": cause_representation(cause), "count": count} for cause, count in counts]
    }


def _attempt_representation(
    sender: str, started_at: float, attempt: Attempt | None
) -> AttemptShape:
    representation: AttemptShape = {
        "provider": sender,
        "started_at": rfc3339_or_none(started_at),
        "outcome": None,
    }
    if attempt is None:
        return representation
    if 0 <= attempt.duration < YEAR_10000:
        representation["duration_ms"] = round(attempt.duration * 1000)
    match attempt.verdict:
        case Accepted(provider_id=provider_id):
            representation["outcome"] = "accepted"
            if provider_id:
                representation["provider_id"] = provider_id
        case Failed(fault=fault, reason=reason):
            representation["outcome"] = fault
            representation["reason"] = reason
        case never:
            assert_never(never)
    return representation
