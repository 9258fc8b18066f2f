"""Turns rows of a SQL ledger into the port's records.

A value that a newer limbo wrote, and this one cannot read, is shown as unknown.
"""

from collections.abc import Sequence

import orjson

from limbo.adapters.encoding.codec import decode_attempts, decode_cause, decode_mail
from limbo.adapters.sql.database import Row
from limbo.domain.delivery.lifecycle import read_status
from limbo.domain.delivery.verdict import Attempt, Cause
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger_reader import Record, RecordedAttempt

COLUMNS = """
    id, client, status, submitted_at, updated_at, sender, recipients, subject,
    next_at, cause, possible_duplicate
"""
ATTEMPT_COLUMNS = "sender, started_at, outcome"


def read_record(
    row: Row, body: bytes | None = None, attempts: Sequence[RecordedAttempt] = ()
) -> Record:
    """Read a row of COLUMNS, and the content if it is still there."""
    id_, client, status, submitted_at, updated_at, from_, to, subject, *rest = row
    next_at, cause, possible_duplicate = rest
    mail = None if body is None else decode_mail(body, id_)
    return Record(
        id=id_,
        client=client,
        status=read_status(status),
        submitted_at=submitted_at,
        updated_at=updated_at,
        from_=from_,
        to=tuple(orjson.loads(to)),
        subject=subject,
        mail=mail if isinstance(mail, Mail) else None,
        attempts=tuple(attempts),
        next_at=next_at,
        cause=_cause(cause),
        possible_duplicate=bool(possible_duplicate),
    )


def read_attempt(row: Row) -> RecordedAttempt:
    """Read a row of ATTEMPT_COLUMNS."""
    sender, started_at, outcome = row
    return RecordedAttempt(sender=sender, started_at=started_at, attempt=_attempt(outcome))


def _cause(body: bytes | None) -> Cause | None:
    try:
        return None if body is None else decode_cause(body)
    except ValueError:
        return None


def _attempt(body: bytes | None) -> Attempt | None:
    try:
        [attempt] = [None] if body is None else decode_attempts(body)
    except ValueError:
        return None
    return attempt
