"""Mails and dead letters as clients see them; later versions may add fields."""

from collections.abc import Mapping, Sequence
from typing import assert_never, cast

from limbo.domain.access.audit import AuditEntry
from limbo.domain.delivery.lifecycle import SUBMITTED
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed, Fault
from limbo.domain.mail.mail import YEAR_10000, Mail
from limbo.entrypoints.http.api.schemas import (
    AttemptShape,
    AuditEntryShape,
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

_GENERAL: Mapping[str, str] = {
    Fault.ACCOUNT: "the provider refuses the account of this limbo; the operator can see why",
    Fault.OUTAGE: "the provider could not be reached, or failed; the operator can see why",
    Fault.UNKNOWN: "the provider's answer was lost, or tells too little; the operator can see why",
}


def submitted_mail(mail: Mail) -> SubmittedMail:
    """Return a mail that has just been kept."""
    return {
        "id": mail.id,
        "status": SUBMITTED,
        "submitted_at": rfc3339(mail.submitted_at),
        **mail.fields.shown(mail),
    }


def mail_entry(record: Record, *, tells_all: bool) -> MailEntry:
    """Return an entry of the list of mails: its fields are those of the resource.

    ``tells_all`` is for admins: see ``_told``.
    """
    entry: MailEntry = {
        "id": record.id,
        "client": record.client,
        "status": record.status,
        "submitted_at": rfc3339(record.submitted_at),
        "updated_at": rfc3339(record.updated_at),
        "from": record.from_,
        "subject": record.subject,
        "possible_duplicate": record.possible_duplicate,
    }
    if record.key is not None:
        entry["key"] = record.key
    if record.shown is None:
        entry["recipients"] = [*record.to]
    else:
        entry |= cast("MailEntry", record.shown)
    if record.next_at is not None:
        entry["next_attempt_at"] = rfc3339(record.next_at)
    if record.cause is not None:
        entry["cause"] = cause_representation(record.cause, tells_all=tells_all)
    return entry


def mail_resource(record: Record, *, tells_all: bool) -> MailResource:
    """Return all that is known of a mail, except its body."""
    attempts = [
        _attempt_representation(each.sender, each.started_at, each.attempt, tells_all=tells_all)
        for each in record.attempts
    ]
    resource: MailResource = {**mail_entry(record, tells_all=tells_all), "attempts": attempts}
    if record.mail is not None:
        resource.pop("recipients", None)
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
            _attempt_representation(each.sender, each.started_at, each, tells_all=True)
            for each in letter.attempts
        ],
    }
    if letter.submitted_at is not None:
        representation["mail_id"] = letter.mail_id
        representation["submitted_at"] = rfc3339(letter.submitted_at)
    return representation


def cause_representation(cause: Cause, *, tells_all: bool = True) -> CauseShape:
    """Return a cause of death."""
    reason = _told(cause.kind, cause.reason, tells_all=tells_all)
    return {"id": cause.id, "kind": cause.kind, "sender": cause.sender, "reason": reason}


def causes_representation(counts: Sequence[tuple[Cause, int]], *, has_more: bool) -> Causes:
    """Return how many mails died of each cause."""
    return {
        "data": [{"cause": cause_representation(cause), "count": count} for cause, count in counts],
        "has_more": has_more,
    }


def _attempt_representation(
    sender: str, started_at: float, attempt: Attempt | None, *, tells_all: bool
) -> AttemptShape:
    representation: AttemptShape = {
        "sender": sender,
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
            representation["reason"] = _told(fault, reason, tells_all=tells_all)
        case never:
            assert_never(never)
    return representation


def _told(fault: str, reason: str, *, tells_all: bool) -> str:
    """Return what a provider said; if not ``tells_all``, only what is about the mail.

    What it says of our account may hold the account's number, its users and what it owes, and what
    it says of an outage where it is reached, as does a call that got no answer that can be read.
    """
    return reason if tells_all else _GENERAL.get(fault, reason)


def audit_representation(entry: AuditEntry) -> AuditEntryShape:
    """Return one action of an admin."""
    return {
        "id": entry.id,
        "begun_at": rfc3339_or_none(entry.at),
        "who": entry.actor.who,
        "from": entry.actor.origin,
        "action": entry.action,
        "selection": entry.selection,
        "result": entry.result,
        "count": entry.count,
    }
