"""Mails and dead letters as clients see them; a version to come may add fields."""

from collections.abc import Sequence
from typing import assert_never

from limbo.domain.delivery.lifecycle import Status
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
from limbo.ports.dead_letters import DeadLetter
from limbo.ports.ledger_reader import Record


def submitted_mail(mail: Mail) -> SubmittedMail:
    """Return a mail that has just been kept."""
    return {
        "id": mail.id,
        "status": Status.QUEUED,
        "submitted_at": rfc3339(mail.submitted_at),
        **mail.fields.shown(mail),
    }


def mail_entry(record: Record) -> MailEntry:
    """Return an entry of the list; ``to`` is everybody who gets the mail."""
    entry: MailEntry = {
        "id": record.id,
        "status": record.status,
        "submitted_at": rfc3339(record.submitted_at),
        "updated_at": rfc3339(record.updated_at),
        "from": record.from_,
        "to": [*record.to],
        "subject": record.subject,
        "possible_duplicate": record.possible_duplicate,
    }
    if record.next_at is not None:
        entry["next_attempt_at"] = rfc3339(record.next_at)
    if record.cause is not None:
        entry["cause"] = cause_shape(record.cause)
    return entry


def mail_resource(record: Record) -> MailResource:
    """Return a mail with all that is known of it but its body."""
    tries = [_try(each.sender, each.started_at, each.attempt) for each in record.attempts]
    resource: MailResource = {**mail_entry(record), "attempts": tries}
    if record.mail is not None:
        resource |= record.mail.fields.shown(record.mail)
    return resource


def dead_letter_shape(letter: DeadLetter) -> DeadLetterShape:
    """Return a dead letter without anything that a client wrote."""
    shape: DeadLetterShape = {
        "id": letter.id,
        "buried_at": rfc3339_or_none(letter.buried_at),
        "cause": cause_shape(letter.cause),
        "possible_duplicate": letter.possible_duplicate,
        "attempts": [_try(each.sender, each.started_at, each) for each in letter.attempts],
    }
    if isinstance(letter.mail, Mail):
        shape["mail_id"] = letter.mail.id
        shape["submitted_at"] = rfc3339(letter.mail.submitted_at)
    return shape


def cause_shape(cause: Cause) -> CauseShape:
    """Return a cause of death."""
    return {"id": cause.id, "kind": cause.kind, "provider": cause.sender, "reason": cause.reason}


def causes_shape(counts: Sequence[tuple[Cause, int]]) -> Causes:
    """Return how many died of which cause."""
    return {"data": [{"cause": cause_shape(cause), "count": count} for cause, count in counts]}


def _try(sender: str, started_at: float, attempt: Attempt | None) -> AttemptShape:
    shape: AttemptShape = {
        "provider": sender,
        "started_at": rfc3339_or_none(started_at),
        "outcome": None,
    }
    if attempt is None:
        return shape
    if 0 <= attempt.duration < YEAR_10000:
        shape["duration_ms"] = round(attempt.duration * 1000)
    match attempt.verdict:
        case Accepted(provider_id=provider_id):
            shape["outcome"] = "accepted"
            if provider_id:
                shape["provider_id"] = provider_id
        case Failed(fault=fault, reason=reason):
            shape["outcome"] = fault
            shape["reason"] = reason
        case never:
            assert_never(never)
    return shape
