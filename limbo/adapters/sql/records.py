"""Turns rows of a SQL ledger into the port's records.

A value that a newer limbo wrote, or somebody else, and this one cannot read, is shown as unknown.
"""

from collections.abc import Sequence

import orjson

from limbo.adapters.encoding.codec import decode_attempts, decode_cause
from limbo.adapters.sql.cells import moment, moment_or_none, text
from limbo.adapters.sql.database import Row
from limbo.adapters.sql.shown import read_shown
from limbo.domain.delivery.lifecycle import read_status
from limbo.domain.delivery.verdict import Attempt, Cause
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger_reader import Record, RecordedAttempt
from limbo.ports.queue import Undecodable

COLUMNS = """
    id, client, status, submitted_at, updated_at, sender, recipients, subject,
    next_at, cause, possible_duplicate, key, shown
"""
ATTEMPT_COLUMNS = "sender, started_at, outcome"


def read_record(
    row: Row, mail: Mail | Undecodable | None = None, attempts: Sequence[RecordedAttempt] = ()
) -> Record:
    """Read a row of COLUMNS, and the content if it is still there."""
    id_, client, status, submitted_at, updated_at, from_, to, subject, *rest = row
    next_at, cause, possible_duplicate, key, shown = rest
    recipients = read_addresses(to)
    return Record(
        id=text(id_),
        client=text(client),
        key=None if key is None else text(key),
        status=read_status(text(status)),
        submitted_at=moment(submitted_at),
        updated_at=moment(updated_at),
        from_=text(from_),
        to=recipients,
        subject=text(subject),
        shown=read_shown(shown, sender=text(from_), recipients=recipients, subject=text(subject)),
        mail=mail if isinstance(mail, Mail) else None,
        attempts=tuple(attempts),
        next_at=moment_or_none(next_at),
        cause=_cause(cause),
        possible_duplicate=bool(possible_duplicate),
    )


def read_attempt(row: Row) -> RecordedAttempt:
    """Read a row of ATTEMPT_COLUMNS."""
    sender, started_at, outcome = row
    return RecordedAttempt(
        sender=text(sender), started_at=moment(started_at), attempt=_attempt(outcome)
    )


def read_addresses(recipients: bytes | str) -> tuple[str, ...]:
    """Read all recipients of a mail, none if they cannot be read."""
    try:
        addresses = orjson.loads(recipients)
    except orjson.JSONDecodeError:
        return ()
    return tuple(map(str, addresses)) if isinstance(addresses, list) else ()


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
