"""The leases of a SQL queue: a random receipt, and the time at which the mail is due again.

A due mail that still has a receipt is one whose last lease ran out. A mail that is ready by itself
is due at READY, long ago: no clock that is set back can hold it, and it comes before what was
deferred.
"""

import secrets
from collections.abc import Sequence

from limbo.adapters.encoding.mail_codec import MailCodec
from limbo.adapters.sql.cells import number, number_or_none
from limbo.adapters.sql.database import Database, Dialect, Executor
from limbo.domain.delivery.evidence import Evidence
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Lease, Undecodable

READY = "submitted_at - 1e10"
"""When a mail is due that waits for nothing: before all times, the oldest mail first."""
_CLAIM = {
    Dialect.SQLITE: """
        UPDATE limbo_queue
        SET receipt = :receipt, due = :now + :seconds,
            possible_duplicate = possible_duplicate OR receipt IS NOT NULL
        WHERE rowid IN (
            SELECT rowid FROM limbo_queue WHERE due <= :now
            ORDER BY due LIMIT :limit
        )
        RETURNING id, body, touches, possible_duplicate, log_likelihood, refused_since
    """,
    # An array of ids is computed once. PostgreSQL might run a subquery with SKIP LOCKED in an IN
    # several times, and take more than its limit.
    Dialect.POSTGRESQL: """
        UPDATE limbo_queue
        SET receipt = :receipt, due = :now + :seconds,
            possible_duplicate = possible_duplicate OR receipt IS NOT NULL
        WHERE id = ANY (ARRAY(
            SELECT id FROM limbo_queue WHERE due <= :now
            ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED
        ))
        RETURNING id, body, touches, possible_duplicate, log_likelihood, refused_since
    """,
}
# In SQLite an id can be of any type, and a text that is not UTF-8: then nobody could name the mail.
_RENAME = """
    UPDATE limbo_queue SET id = 'unreadable-' || rowid
    WHERE receipt = :receipt AND (typeof(id) <> 'text' OR id GLOB '*[^A-Za-z0-9_-]*')
"""
_CLAIMED = """
    SELECT id, body, touches, possible_duplicate, log_likelihood, refused_since
    FROM limbo_queue WHERE receipt = :receipt
"""
_ACK = {
    Dialect.SQLITE: """
        WITH lease (id, receipt) AS (VALUES (:id, :receipt))
        DELETE FROM limbo_queue WHERE rowid IN (
            SELECT mail.rowid FROM lease CROSS JOIN limbo_queue AS mail
            WHERE mail.id = lease.id AND mail.receipt = lease.receipt
        )
        RETURNING id, receipt
    """,
    Dialect.POSTGRESQL: """
        DELETE FROM limbo_queue AS mail
        USING unnest(:id::text[], :receipt::text[]) AS lease (id, receipt)
        WHERE mail.id = lease.id AND mail.receipt = lease.receipt
        RETURNING mail.id, mail.receipt
    """,
}
_EXTEND = {
    Dialect.SQLITE: """
        WITH lease (id, receipt, seconds) AS (VALUES (:id, :receipt, :seconds))
        UPDATE limbo_queue AS mail SET due = :now + lease.seconds FROM lease
        WHERE mail.id = lease.id AND mail.receipt = lease.receipt RETURNING id, receipt
    """,
    Dialect.POSTGRESQL: """
        UPDATE limbo_queue AS mail SET due = :now + lease.seconds
        FROM unnest(:id::text[], :receipt::text[], :seconds::float8[])
            AS lease (id, receipt, seconds)
        WHERE mail.id = lease.id AND mail.receipt = lease.receipt
        RETURNING mail.id, mail.receipt
    """,
}
_RELEASE = f"""
    UPDATE limbo_queue
    SET receipt = NULL, due = CASE WHEN :delay > 0 THEN :now + :delay ELSE {READY} END,
        touches = :touches, possible_duplicate = :possible_duplicate,
        log_likelihood = :log_likelihood, refused_since = :refused_since
    WHERE id = :id AND receipt = :receipt
"""


def claim(database: Database, codec: MailCodec, *, limit: int, seconds: float) -> list[Lease]:
    """Lease up to ``limit`` mails: what is ready, then what has been due longest."""
    receipt = secrets.token_hex(16)
    values = {"receipt": receipt, "seconds": seconds, "limit": limit}
    rows = database.execute(_CLAIM[database.dialect], values)
    if any(not isinstance(row[0], str) for row in rows):
        database.execute(_RENAME, {"receipt": receipt})
        rows = database.execute(_CLAIMED, {"receipt": receipt})
    return [
        Lease(
            mail=read_mail(codec, body, id_),
            receipt=receipt,
            touches=int(number(touches)),
            possible_duplicate=bool(possible_duplicate),
            evidence=Evidence(
                log_likelihood=number(log_likelihood), refused_since=number_or_none(refused_since)
            ),
        )
        for id_, body, touches, possible_duplicate, log_likelihood, refused_since in rows
    ]


def ack(database: Database, leases: Sequence[Lease]) -> list[Lease]:
    """Remove the mails. Return the leases that were already lost."""
    return _change(database, _ACK[database.dialect], leases)


def extend(database: Database, leases: Sequence[Lease], *, seconds: float) -> list[Lease]:
    """Restart the time of the leases. Return the leases that were already lost."""
    return _change(database, _EXTEND[database.dialect], leases, seconds=seconds)


def release(executor: Executor, lease: Lease, *, delay: float) -> None:
    """End the lease, unless it is already lost."""
    values = {
        "id": lease.mail.id,
        "receipt": lease.receipt,
        "delay": delay,
        "touches": lease.touches,
        "possible_duplicate": lease.possible_duplicate,
        "log_likelihood": lease.evidence.log_likelihood,
        "refused_since": lease.evidence.refused_since,
    }
    executor.execute(_RELEASE, values, notify=True)


def read_mail(codec: MailCodec, body: bytes | str, id_: str) -> Mail | Undecodable:
    """Read a body. A mail whose id differs from its row's is refused: it could never be removed."""
    mail = codec.decode(body, id_)
    if mail.id != id_:
        return Undecodable(id_, "id: not the one that the queue knows it by")
    return mail


def _change(executor: Executor, sql: str, leases: Sequence[Lease], **values: object) -> list[Lease]:
    """Run a statement that returns the leases it found. Return the others, which are lost."""
    if not leases:
        return []
    # Use one order, so that two threads that hold the same mails cannot deadlock.
    pairs = sorted((lease.mail.id, lease.receipt) for lease in leases)
    columns: dict[str, Sequence[object]] = {
        "id": [id_ for id_, _ in pairs],
        "receipt": [receipt for _, receipt in pairs],
    }
    columns |= {name: [value] * len(pairs) for name, value in values.items()}
    held = {(id_, receipt) for id_, receipt in executor.execute_many(sql, columns)}
    return [lease for lease in leases if (lease.mail.id, lease.receipt) not in held]
