"""What the SQL queue and its dead letters say to the database, and the rows they both handle."""

from collections.abc import Sequence
from dataclasses import dataclass

from limbo.adapters.encoding.codec import decode_mail, encode_mail
from limbo.adapters.sql.database import Dialect, Executor
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Undecodable


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectSql:
    """The statements that one dialect says otherwise than the other."""

    insert: str
    claim: str
    ack: str
    extend: str
    find_letters: str
    redrive: str
    drop: str


BY_DIALECT = {
    Dialect.SQLITE: DialectSql(
        insert="""
            INSERT INTO limbo_queue (id, body, submitted_at, due)
            VALUES (:id, :body, :submitted_at, :now) ON CONFLICT (id) DO NOTHING
        """,
        claim="""
            UPDATE limbo_queue
            SET receipt = :receipt, due = :now + :seconds,
                possible_duplicate = possible_duplicate OR receipt IS NOT NULL
            WHERE rowid IN (
                SELECT rowid FROM limbo_queue WHERE due <= :now ORDER BY due LIMIT :limit
            )
            RETURNING id, body, touches, possible_duplicate
        """,
        ack="""
            WITH lease (id, receipt) AS (VALUES (:id, :receipt))
            DELETE FROM limbo_queue WHERE rowid IN (
                SELECT mail.rowid FROM lease CROSS JOIN limbo_queue AS mail
                WHERE mail.id = lease.id AND mail.receipt = lease.receipt
            )
            RETURNING id, receipt
        """,
        extend="""
            WITH lease (id, receipt, seconds) AS (VALUES (:id, :receipt, :seconds))
            UPDATE limbo_queue AS mail SET due = :now + lease.seconds FROM lease
            WHERE mail.id = lease.id AND mail.receipt = lease.receipt RETURNING id, receipt
        """,
        find_letters="""
            SELECT id, mail_id FROM limbo_dead_letters WHERE id = :id OR mail_id = :id
        """,
        redrive="""
            INSERT INTO limbo_queue (id, body, submitted_at, due, possible_duplicate)
            SELECT mail_id, body, submitted_at, :now, possible_duplicate
            FROM limbo_dead_letters WHERE id = :id ON CONFLICT (id) DO NOTHING
        """,
        drop="DELETE FROM limbo_dead_letters WHERE id = :id",
    ),
    # An array of ids is computed once, where a subquery with SKIP LOCKED in an IN might be run
    # again and again, and take more than its limit.
    Dialect.POSTGRESQL: DialectSql(
        insert="""
            INSERT INTO limbo_queue (id, body, submitted_at, due)
            SELECT *, :now FROM unnest(:id::text[], :body::bytea[], :submitted_at::float8[])
            ON CONFLICT (id) DO NOTHING
        """,
        claim="""
            UPDATE limbo_queue
            SET receipt = :receipt, due = :now + :seconds,
                possible_duplicate = possible_duplicate OR receipt IS NOT NULL
            WHERE id = ANY (ARRAY(
                SELECT id FROM limbo_queue WHERE due <= :now
                ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED
            ))
            RETURNING id, body, touches, possible_duplicate
        """,
        ack="""
            DELETE FROM limbo_queue AS mail
            USING unnest(:id::text[], :receipt::text[]) AS lease (id, receipt)
            WHERE mail.id = lease.id AND mail.receipt = lease.receipt
            RETURNING mail.id, mail.receipt
        """,
        extend="""
            UPDATE limbo_queue AS mail SET due = :now + lease.seconds
            FROM unnest(:id::text[], :receipt::text[], :seconds::float8[])
                AS lease (id, receipt, seconds)
            WHERE mail.id = lease.id AND mail.receipt = lease.receipt
            RETURNING mail.id, mail.receipt
        """,
        # Locked in one order, so that two who redrive the same letters cannot lock each other out.
        find_letters="""
            SELECT id, mail_id FROM limbo_dead_letters
            WHERE id = ANY (:id::text[]) OR mail_id = ANY (:id::text[]) ORDER BY id FOR UPDATE
        """,
        redrive="""
            INSERT INTO limbo_queue (id, body, submitted_at, due, possible_duplicate)
            SELECT mail_id, body, submitted_at, :now, possible_duplicate
            FROM limbo_dead_letters WHERE id = ANY (:id::text[]) ON CONFLICT (id) DO NOTHING
        """,
        drop="DELETE FROM limbo_dead_letters WHERE id = ANY (:id::text[])",
    ),
}
RELEASE = """
    UPDATE limbo_queue
    SET receipt = NULL, due = :now + :delay, touches = :touches,
        possible_duplicate = :possible_duplicate
    WHERE id = :id AND receipt = :receipt
"""
TAKE = """
    DELETE FROM limbo_queue WHERE id = :id AND receipt = :receipt
    RETURNING body, submitted_at, :now
"""
BURY = """
    INSERT INTO limbo_dead_letters (
        id, mail_id, body, submitted_at, kind, sender, reason, attempts, buried_at,
        possible_duplicate
    )
    VALUES (
        :id, :mail_id, :body, :submitted_at, :kind, :sender, :reason, :attempts, :buried_at,
        :possible_duplicate
    )
"""
DUE_IN = "SELECT min(due) - :now FROM limbo_queue"
DEPTH = """
    SELECT count(*) FILTER (WHERE due <= :now),
        count(*) FILTER (WHERE due > :now AND receipt IS NOT NULL),
        count(*) FILTER (WHERE due > :now AND receipt IS NULL),
        :now - min(submitted_at)
    FROM limbo_queue
"""
DEAD = "SELECT kind, count(*) FROM limbo_dead_letters GROUP BY kind"
LETTER = """
    SELECT id, mail_id, body, kind, sender, reason, attempts, buried_at, possible_duplicate
    FROM limbo_dead_letters
"""
CAUSES = """
    SELECT kind, sender, reason, count(*) FROM limbo_dead_letters
    GROUP BY kind, sender, reason ORDER BY count(*) DESC, kind, sender, reason
"""
LETTER_IDS = "SELECT id FROM limbo_dead_letters WHERE id > :after ORDER BY id LIMIT :limit"
LETTER_IDS_BY_CAUSE = """
    SELECT id FROM limbo_dead_letters
    WHERE kind = :kind AND sender = :sender AND reason = :reason AND id > :after
    ORDER BY id LIMIT :limit
"""


def insert(executor: Executor, sql: DialectSql, mails: Sequence[Mail]) -> None:
    """Put mails into the queue; one whose id is there already stays as it is."""
    columns: dict[str, Sequence[object]] = {
        "id": [mail.id for mail in mails],
        "body": [encode_mail(mail) for mail in mails],
        "submitted_at": [mail.submitted_at for mail in mails],
    }
    executor.execute_many(sql.insert, columns, notify=True)


def read_mail(body: bytes | str, id_: str) -> Mail | Undecodable:
    """Read a body; one that claims another id than its row has could never be settled."""
    mail = decode_mail(body, id_)
    if mail.id != id_:
        return Undecodable(id_, "id: not the one that the queue knows it by")
    return mail
