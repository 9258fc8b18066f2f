"""How a submission is entered into the tables of a SQL ledger, and of a queue beside it."""

from collections.abc import Sequence

import orjson

from limbo.adapters.encoding.mail_codec import MailCodec
from limbo.adapters.sql.database import Dialect, Executor
from limbo.adapters.sql.leases import READY
from limbo.adapters.sql.shown import write_shown
from limbo.adapters.sql.statements import in_each, values
from limbo.domain.delivery.lifecycle import ENTERED, SUBMITTED
from limbo.domain.mail.mail import Mail
from limbo.ports.outbox import Submission

_COLUMNS = {
    "id": "text",
    "client": "text",
    "key": "text",
    "status": "text",
    "submitted_at": "float8",
    "sender": "text",
    "recipients": "text",
    "subject": "text",
    "body": "bytea",
    "shown": "text",
}
_NAMES = ", ".join(_COLUMNS)


def _entering(dialect: Dialect, *, queue: bool) -> str:
    given = values(dialect, _COLUMNS)
    if dialect is Dialect.SQLITE:
        return f"""
            INSERT INTO limbo_submissions ({_NAMES}, due)
            VALUES ({given}, {f":{READY}" if queue else "NULL"})
        """
    # Fill each table in one order, so that two inserts of the same mails cannot deadlock.
    recipients = """
        INSERT INTO limbo_recipients (address, client, id)
        SELECT lower(address COLLATE "C"), client, id
        FROM given, json_array_elements_text(recipients::json) AS address
        ORDER BY 1 ON CONFLICT (address, client, id) DO NOTHING
    """
    return f"""
        WITH given ({_NAMES}) AS (SELECT * FROM unnest({given})),
        mails AS (
            INSERT INTO limbo_mails
                (id, client, key, status, submitted_at, updated_at, sender, recipients, subject,
                    shown)
            SELECT id, client, key, status, submitted_at, submitted_at, sender, recipients, subject,
                shown
            FROM given ORDER BY id ON CONFLICT (id) DO NOTHING
        ),
        contents AS (
            INSERT INTO limbo_contents (id, body) SELECT id, body
            FROM given ORDER BY id ON CONFLICT (id) DO NOTHING
        )
    """ + (
        f"""
            , recipients AS ({recipients})
            INSERT INTO limbo_queue (id, body, submitted_at, due)
            SELECT id, body, submitted_at, {READY}
            FROM given ORDER BY id ON CONFLICT (id) DO NOTHING
        """
        if queue
        else recipients
    )


_ENTER = in_each(lambda dialect: _entering(dialect, queue=False))
_ENTER_AND_QUEUE = in_each(lambda dialect: _entering(dialect, queue=True))


def enter(
    executor: Executor,
    dialect: Dialect,
    submissions: Sequence[Submission],
    codec: MailCodec,
    *,
    queue: bool,
) -> None:
    """Enter the mails as SUBMITTED, or as ENTERED without ``queue``. Keep existing rows.

    The subject of a mail whose body is sealed stands in the body alone.
    """
    sql = _ENTER_AND_QUEUE[dialect] if queue else _ENTER[dialect]
    status = SUBMITTED if queue else ENTERED
    mails = [submission.mail for submission in submissions]
    columns: dict[str, Sequence[object]] = {
        "id": [mail.id for mail in mails],
        "client": [submission.client for submission in submissions],
        "key": [submission.key for submission in submissions],
        "status": [status.value] * len(mails),
        "submitted_at": [mail.submitted_at for mail in mails],
        "sender": [mail.from_.email for mail in mails],
        "recipients": [_emails(mail) for mail in mails],
        "subject": ["" if codec.seals else mail.subject for mail in mails],
        "body": [codec.encode(mail) for mail in mails],
        "shown": [write_shown(mail, seals=codec.seals) for mail in mails],
    }
    executor.execute_many(sql, columns, notify=queue)


def _emails(mail: Mail) -> str:
    return orjson.dumps([address.email for address in mail.recipients]).decode()
