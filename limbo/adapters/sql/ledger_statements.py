"""What a SQL ledger says to the database, in the words of either dialect."""
# ruff: noqa: S608 - these are put together from constants alone

from collections.abc import Mapping
from dataclasses import dataclass

from limbo.adapters.outbox.once_per_key import KEY_SECONDS, TAKEOVER_SECONDS
from limbo.adapters.sql.database import Dialect
from limbo.domain.delivery.lifecycle import PURGEABLE

_SUBMISSION = {
    "id": "text",
    "client": "text",
    "status": "text",
    "submitted_at": "float8",
    "sender": "text",
    "recipients": "text",
    "subject": "text",
    "body": "bytea",
}
CHANGE = {
    "status": "text",
    "updated_at": "float8",
    "last_start": "float8",
    "next_at": "float8",
    "cause": "bytea",
    "possible_duplicate": "bool",
}
_ATTEMPT = {"mail_id": "text", "started_at": "float8", "sender": "text", "outcome": "bytea"}
_RECIPIENT = {"address": "text", "client": "text", "id": "text"}
_KEY = {"name": "bytea", "fingerprint": "text", "mail_id": "text"}
_SETTLED = ", ".join(f"'{status}'" for status in PURGEABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSql:
    """The statements that are run for many values.

    ``enter`` writes all that a ledger keeps of mails, ``submit`` puts them into the queue as well.

    ``late`` is the id as only the indexes on clients know it: PostgreSQL might else go through all
    mails in the order of their ids, in the hope of soon meeting enough of the client's.
    """

    enter: str
    submit: str
    claim_keys: str
    read_keys: str
    take_over: str
    free_keys: str
    keep: str
    refuse: str
    read_entries: str
    read_unfinished: str
    change_mails: str
    mark_mails: str
    write_attempts: str
    revive: str
    forget_contents: str
    forget_attempts: str
    forget_mails: str
    forget_recipients: str
    lock: str
    late: str


EXPIRED_KEYS = f"""
    DELETE FROM limbo_idempotency WHERE name IN (
        SELECT name FROM limbo_idempotency WHERE at < :now - {KEY_SECONDS}
        ORDER BY at LIMIT :limit
    ) RETURNING name
"""
# The status is looked up row by row, in the order of the ids, whatever a planner thinks best.
OLD_CONTENTS = f"""
    SELECT c.id FROM limbo_contents AS c
    WHERE c.id < :before
        AND (SELECT m.status FROM limbo_mails AS m WHERE m.id = c.id) IN ({_SETTLED})
    ORDER BY c.id LIMIT :limit
"""
OLD_MAILS = f"""
    SELECT id, client, recipients FROM limbo_mails
    WHERE id < :before AND status IN ({_SETTLED}) ORDER BY id LIMIT :limit
"""
COLUMNS = """
    id, client, status, submitted_at, updated_at, sender, recipients, subject,
    next_at, cause, possible_duplicate
"""


def _statements(dialect: Dialect) -> LedgerSql:
    sqlite = dialect is Dialect.SQLITE

    def rows(columns: Mapping[str, str]) -> str:
        return ", ".join(
            f":{name}" if sqlite else f":{name}::{kind}[]" for name, kind in columns.items()
        )

    def insert(table: str, columns: Mapping[str, str], then: str, *, now: str = "") -> str:
        values = (
            f"VALUES ({rows(columns)}{', :now' if now else ''})"
            if sqlite
            else f"SELECT *{', :now' if now else ''} FROM unnest({rows(columns)}) ORDER BY 1"
        )
        extra = f", {now}" if now else ""
        return f"INSERT INTO {table} ({', '.join(columns)}{extra}) {values} ON CONFLICT {then}"

    def update(table: str, key: Mapping[str, str], columns: Mapping[str, str]) -> str:
        changes = ", ".join(f"{name} = given.{name}" for name in columns)
        where = " AND ".join(f"t.{name} = given.{name}" for name in key)
        names, values = ", ".join([*key, *columns]), rows({**key, **columns})
        source = f"VALUES ({values})" if sqlite else f"SELECT * FROM unnest({values})"
        return f"""
            WITH given ({names}) AS ({source})
            UPDATE {table} AS t SET {changes} FROM given WHERE {where}
        """

    def among(name: str, kind: str = "text") -> str:
        column = name.rpartition(".")[2]
        values = f"IN (VALUES (:{column}))" if sqlite else f"= ANY (:{column}::{kind}[])"
        return f"{name} {values}"

    lock = "" if sqlite else "FOR UPDATE"
    return LedgerSql(
        enter=_entering(rows(_SUBMISSION), sqlite=sqlite, queue=False),
        submit=_entering(rows(_SUBMISSION), sqlite=sqlite, queue=True),
        claim_keys=insert(
            "limbo_idempotency AS k",
            _KEY,
            f"""
                (name) DO UPDATE
                SET fingerprint = excluded.fingerprint, mail_id = excluded.mail_id, at = excluded.at
                WHERE k.at < :now - {KEY_SECONDS} RETURNING name
            """,
            now="at",
        ),
        read_keys=f"""
            SELECT k.name, k.fingerprint, k.mail_id, COALESCE(m.status = 'submitting', FALSE)
            FROM limbo_idempotency AS k LEFT JOIN limbo_mails AS m ON m.id = k.mail_id
            WHERE {among("k.name", "bytea")}
        """,
        take_over=f"""
            UPDATE limbo_idempotency SET at = :now
            WHERE {among("name", "bytea")} AND at < :now - {TAKEOVER_SECONDS} RETURNING name
        """,
        free_keys=f"""
            DELETE FROM limbo_idempotency WHERE {among("name", "bytea")}
            AND (SELECT status FROM limbo_mails WHERE id = mail_id) = 'refused'
        """,
        keep=f"""
            UPDATE limbo_mails SET status = 'queued', updated_at = :now
            WHERE {among("id")} AND status IN ('submitting', 'refused')
        """,
        refuse=f"""
            UPDATE limbo_mails SET status = 'refused', updated_at = :now
            WHERE {among("id")} AND status = 'submitting'
        """,
        read_entries=f"""
            SELECT id, status, updated_at, last_start, possible_duplicate
            FROM limbo_mails WHERE {among("id")} ORDER BY id {lock}
        """,
        read_unfinished=f"""
            SELECT mail_id, sender, started_at FROM limbo_attempts
            WHERE {among("mail_id")} AND outcome IS NULL
        """,
        change_mails=update("limbo_mails", {"id": "text"}, CHANGE),
        mark_mails=f"UPDATE limbo_mails SET possible_duplicate = TRUE WHERE {among('id')}",
        write_attempts=insert(
            "limbo_attempts AS a",
            _ATTEMPT,
            """
                (mail_id, started_at, sender) DO UPDATE SET outcome = excluded.outcome
                WHERE a.outcome IS NULL AND excluded.outcome IS NOT NULL
            """,
        ),
        revive=f"""
            UPDATE limbo_mails SET status = 'queued', cause = NULL, updated_at = :now
            WHERE {among("id")} AND status = 'dead'
        """,
        forget_contents=f"DELETE FROM limbo_contents WHERE {among('id')}",
        forget_attempts=f"DELETE FROM limbo_attempts WHERE {among('mail_id')}",
        forget_mails=f"DELETE FROM limbo_mails WHERE {among('id')}",
        forget_recipients=(
            """
                DELETE FROM limbo_recipients
                WHERE address = :address AND client = :client AND id = :id
            """
            if sqlite
            else f"""
                DELETE FROM limbo_recipients AS r USING unnest({rows(_RECIPIENT)})
                    AS given (address, client, id)
                WHERE r.address = given.address AND r.client = given.client AND r.id = given.id
            """
        ),
        lock=lock,
        late="id" if sqlite else "(id || '')",
    )


def _entering(values: str, *, sqlite: bool, queue: bool) -> str:
    names = ", ".join(_SUBMISSION)
    if sqlite:
        return f"""
            INSERT INTO limbo_submissions ({names}, due)
            VALUES ({values}, {":now" if queue else "NULL"})
        """
    # Each table in one order: two who enter the same mails cannot lock each other out.
    recipients = """
        INSERT INTO limbo_recipients (address, client, id)
        SELECT lower(address COLLATE "C"), client, id
        FROM given, json_array_elements_text(recipients::json) AS address
        ORDER BY 1 ON CONFLICT (address, client, id) DO NOTHING
    """
    return f"""
        WITH given ({names}) AS (SELECT * FROM unnest({values})),
        mails AS (
            INSERT INTO limbo_mails
                (id, client, status, submitted_at, updated_at, sender, recipients, subject)
            SELECT id, client, status, submitted_at, submitted_at, sender, recipients, subject
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
            SELECT id, body, submitted_at, :now
            FROM given ORDER BY id ON CONFLICT (id) DO NOTHING
        """
        if queue
        else recipients
    )


BY_DIALECT = {dialect: _statements(dialect) for dialect in Dialect}
