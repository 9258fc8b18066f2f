"""A queue and its dead letters as two tables of one database, SQLite or PostgreSQL."""

import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from limbo.adapters.codec import decode_attempts, decode_mail, encode_attempts, encode_mail
from limbo.adapters.database import Database, Dialect, Row, Statements
from limbo.domain.errors import QueueUnavailable
from limbo.domain.ids import mail_id
from limbo.domain.mail import Mail
from limbo.domain.verdict import Cause
from limbo.ports.queue import DeadLetter, Death, Depth, Kept, Lease, NotKept, Undecodable

_LONGEST_SLEEP = 5.0  # should a clock jump, or news be lost
_SHORTEST_SLEEP = 0.002  # while what is due is being taken by another
_BATCH = 500
_LETTER_ID = re.compile(r"[0-9a-f-]{36}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sql:
    """The statements that one dialect says otherwise than the other."""

    insert: str
    claim: str
    ack: str
    extend: str
    take_letters: str


_SQL = {
    Dialect.SQLITE: _Sql(
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
            DELETE FROM limbo_queue WHERE id = :id AND receipt = :receipt RETURNING id, receipt
        """,
        extend="""
            UPDATE limbo_queue SET due = :now + :seconds
            WHERE id = :id AND receipt = :receipt RETURNING id, receipt
        """,
        take_letters="""
            DELETE FROM limbo_dead_letters WHERE id = :id RETURNING mail_id, body, submitted_at
        """,
    ),
    # An array of ids is computed once, where a subquery with SKIP LOCKED in an IN might be run
    # again and again, and take more than its limit.
    Dialect.POSTGRESQL: _Sql(
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
        take_letters="""
            DELETE FROM limbo_dead_letters WHERE id = ANY (:id::text[])
            RETURNING mail_id, body, submitted_at
        """,
    ),
}
_RELEASE = """
    UPDATE limbo_queue
    SET receipt = NULL, due = :now + :delay, touches = :touches,
        possible_duplicate = :possible_duplicate
    WHERE id = :id AND receipt = :receipt
"""
_TAKE = """
    DELETE FROM limbo_queue WHERE id = :id AND receipt = :receipt
    RETURNING body, submitted_at, :now
"""
_BURY = """
    INSERT INTO limbo_dead_letters (
        id, mail_id, body, submitted_at, kind, sender, reason, attempts, buried_at,
        possible_duplicate
    )
    VALUES (
        :id, :mail_id, :body, :submitted_at, :kind, :sender, :reason, :attempts, :buried_at,
        :possible_duplicate
    )
"""
_DUE_IN = "SELECT min(due) - :now FROM limbo_queue"
_DEPTH = """
    SELECT count(*) FILTER (WHERE due <= :now),
        count(*) FILTER (WHERE due > :now AND receipt IS NOT NULL),
        count(*) FILTER (WHERE due > :now AND receipt IS NULL),
        :now - min(submitted_at)
    FROM limbo_queue
"""
_DEAD = "SELECT kind, count(*) FROM limbo_dead_letters GROUP BY kind"
_LETTER = """
    SELECT id, mail_id, body, kind, sender, reason, attempts, buried_at, possible_duplicate
    FROM limbo_dead_letters
"""
_CAUSES = """
    SELECT kind, sender, reason, count(*) FROM limbo_dead_letters
    GROUP BY kind, sender, reason ORDER BY count(*) DESC, kind, sender, reason
"""


class SqlQueue:
    """A MailQueue in a table, durable as the database is.

    A lease is a receipt drawn at random and a time at which the mail is due again: whoever
    finds a due mail that still has a receipt knows that its last lease ran out.
    """

    def __init__(self, database: Database, *, lease_seconds: float = 60.0) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._sql = _SQL[database.dialect]
        self.dead_letters = SqlDeadLetters(database)

    def put(self, mails: Sequence[Mail]) -> list[Kept | NotKept]:
        """Keep all the mails, or none; one whose id is there already is kept as it is."""
        try:
            self.insert(self._database, mails)
        except QueueUnavailable as error:
            return [NotKept(reason=str(error))] * len(mails)
        return [Kept()] * len(mails)

    def insert(self, statements: Statements, mails: Sequence[Mail]) -> None:
        """Put the mails as a part of somebody's transaction; raises QueueUnavailable."""
        if mails:
            self._database.check_room()
            bodies = [(mail.id, encode_mail(mail), mail.submitted_at) for mail in mails]
            _insert(statements, self._sql, bodies)

    def receive(self, limit: int, wait: float) -> list[Lease]:
        """Lease up to ``limit`` mails, those that are due the longest."""
        until = time.monotonic() + wait
        while not (leases := self._claim(limit)):
            if not self._await_due(until):
                break
        return leases

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Remove the mails; return the leases that were lost before."""
        return self._settle(self._sql.ack, leases)

    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Start the leases' time anew; return those that were lost before."""
        return self._settle(self._sql.extend, leases, seconds=self._lease_seconds)

    def release(self, lease: Lease, delay: float) -> None:
        """Give the mail back, due again in ``delay`` seconds."""
        self._database.execute(
            _RELEASE,
            {
                "id": lease.mail.id,
                "receipt": lease.receipt,
                "delay": float(delay),
                "touches": lease.touches,
                "possible_duplicate": lease.possible_duplicate,
            },
            news=True,
        )

    def bury(self, lease: Lease, death: Death) -> None:
        """Move the mail to the dead letters, in one transaction."""
        with self._database.transaction() as transaction:
            taken = transaction.execute(_TAKE, {"id": lease.mail.id, "receipt": lease.receipt})
            for body, submitted_at, now in taken:
                letter = {
                    "id": mail_id(now),
                    "mail_id": lease.mail.id,
                    "body": body,
                    "submitted_at": submitted_at,
                    "kind": str(death.cause.kind),
                    "sender": death.cause.sender,
                    "reason": death.cause.reason,
                    "attempts": encode_attempts(death.attempts),
                    "buried_at": now,
                    "possible_duplicate": lease.possible_duplicate,
                }
                transaction.execute(_BURY, letter)

    def depth(self) -> Depth:
        """Count the mails, which takes a tenth of a second for a million."""
        [[ready, in_flight, delayed, age]] = self._database.execute(_DEPTH)
        return Depth(
            ready=ready,
            in_flight=in_flight,
            delayed=delayed,
            oldest_age=max(0.0, age or 0.0),
            dead=dict(self._database.execute(_DEAD)),
        )

    def _claim(self, limit: int) -> list[Lease]:
        receipt = secrets.token_hex(16)
        values = {"receipt": receipt, "seconds": self._lease_seconds, "limit": limit}
        return [
            Lease(
                mail=_read(body, id_),
                receipt=receipt,
                touches=touches,
                possible_duplicate=bool(possible_duplicate),
            )
            for id_, body, touches, possible_duplicate in self._database.execute(
                self._sql.claim, values
            )
        ]

    def _await_due(self, until: float) -> bool:
        """Sleep until some mail is due; False if none is by then."""
        if time.monotonic() >= until:
            return False
        with self._database.listening() as sleep:
            due_in = self._due_in()
            while (left := until - time.monotonic()) > 0:
                sleep(min(left, max(due_in, _SHORTEST_SLEEP)))
                due_in = self._due_in()
                if due_in <= 0:
                    return True
        return False

    def _due_in(self) -> float:
        [[seconds]] = self._database.execute(_DUE_IN)
        return _LONGEST_SLEEP if seconds is None else min(seconds, _LONGEST_SLEEP)

    def _settle(self, sql: str, leases: Sequence[Lease], **values: object) -> list[Lease]:
        if not leases:
            return []
        # In one order, so that two threads that settle the same mails cannot lock each other out.
        pairs = sorted((lease.mail.id, lease.receipt) for lease in leases)
        columns: dict[str, Sequence[object]] = {
            "id": [id_ for id_, _ in pairs],
            "receipt": [receipt for _, receipt in pairs],
        }
        columns |= {name: [value] * len(pairs) for name, value in values.items()}
        held = {(id_, receipt) for id_, receipt in self._database.execute_each(sql, columns)}
        return [lease for lease in leases if (lease.mail.id, lease.receipt) not in held]


class SqlDeadLetters:
    """The DeadLetters beside a SqlQueue; their ids sort by the time of the burial."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = _SQL[database.dialect]

    def list(self, limit: int, after: str | None = None) -> Sequence[DeadLetter]:
        """Return up to ``limit`` dead letters, newest first, also when ``after`` is gone."""
        if after is not None and not _is_id(after):
            return []
        where = "" if after is None else "WHERE id < :after"
        query = f"{_LETTER} {where} ORDER BY id DESC LIMIT :limit"
        rows = self._database.execute(query, {"limit": limit, "after": after})
        return [_letter(row) for row in rows]

    def show(self, id: str) -> DeadLetter | None:  # noqa: A002
        """Return one dead letter, or None."""
        rows = self._database.execute(f"{_LETTER} WHERE id = :id", {"id": id}) if _is_id(id) else []
        return _letter(rows[0]) if rows else None

    def causes(self) -> Sequence[tuple[Cause, int]]:
        """Count by cause, the most frequent first."""
        return [
            (Cause(kind=kind, sender=sender, reason=reason), count)
            for kind, sender, reason, count in self._database.execute(_CAUSES)
        ]

    def redrive(self, ids: Iterable[str]) -> int:
        """Put the mails back into the queue, some hundred in a transaction."""
        count = 0
        for batch in _batches(ids):
            with self._database.transaction() as transaction:
                mails = transaction.execute_each(self._sql.take_letters, {"id": batch})
                if mails:
                    _insert(transaction, self._sql, mails)
            count += len(mails)
        return count

    def drop(self, ids: Iterable[str]) -> int:
        """Delete the dead letters, some hundred in a transaction."""
        return sum(
            len(self._database.execute_each(self._sql.take_letters, {"id": batch}))
            for batch in _batches(ids)
        )


def _insert(statements: Statements, sql: _Sql, mails: Sequence[Row]) -> None:
    ids, bodies, submitted_at = zip(*mails, strict=True)
    columns = {"id": [*ids], "body": [*bodies], "submitted_at": [*submitted_at]}
    statements.execute_each(sql.insert, columns, news=True)


def _read(body: bytes | str, id_: str) -> Mail | Undecodable:
    mail = decode_mail(body, id_)
    if mail.id != id_:
        return Undecodable(id_, "id: not the one that the queue knows it by")
    return mail


def _letter(row: Row) -> DeadLetter:
    id_, mail_id_, body, kind, sender, reason, attempts, buried_at, possible_duplicate = row
    return DeadLetter(
        id=id_,
        mail=_read(body, mail_id_),
        cause=Cause(kind=kind, sender=sender, reason=reason),
        attempts=tuple(decode_attempts(attempts)),
        buried_at=buried_at,
        possible_duplicate=bool(possible_duplicate),
    )


def _is_id(text: str) -> bool:
    return _LETTER_ID.fullmatch(text) is not None


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    wanted = iter(id_ for id_ in ids if _is_id(id_))
    while batch := [*islice(wanted, _BATCH)]:
        yield batch
