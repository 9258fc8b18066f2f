"""A queue in a table of a database, SQLite or PostgreSQL."""

import time
from collections.abc import Sequence

from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec
from limbo.adapters.sql import leases as sql_leases
from limbo.adapters.sql.burial import bury
from limbo.adapters.sql.database import (
    CommitInDoubt,
    Database,
    DatabaseUnavailable,
    Dialect,
    database_errors_as,
)
from limbo.adapters.sql.dead_letters import SqlDeadLetters
from limbo.adapters.sql.depth import depth
from limbo.adapters.sql.readiness import check_write
from limbo.domain.delivery.verdict import Death
from limbo.domain.errors import QueueUnavailable
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Depth, Kept, Lease, NotKept

_LONGEST_SLEEP = 5.0  # in case a clock jumps or a notification is lost
_SHORTEST_SLEEP = 0.002  # while another worker takes what is due
_PUT = {
    Dialect.SQLITE: f"""
        INSERT INTO limbo_queue (id, body, submitted_at, due)
        VALUES (:id, :body, :submitted_at, :{sql_leases.READY}) ON CONFLICT (id) DO NOTHING
    """,
    Dialect.POSTGRESQL: f"""
        INSERT INTO limbo_queue (id, body, submitted_at, due)
        SELECT *, {sql_leases.READY}
        FROM unnest(:id::text[], :body::bytea[], :submitted_at::float8[])
            AS given (id, body, submitted_at)
        ON CONFLICT (id) DO NOTHING
    """,
}
_DUE_IN = "SELECT min(due) - :now FROM limbo_queue"


class SqlQueue:
    """A MailQueue in a table, as durable as the database."""

    def __init__(
        self, database: Database, *, lease_seconds: float = 60.0, codec: MailCodec = PLAIN
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._codec = codec
        self.dead_letters = SqlDeadLetters(database, codec)

    def put(self, mails: Sequence[Mail]) -> list[Kept | NotKept]:
        """Keep all the mails, or none. If a mail's id exists already, the stored mail stays."""
        if not mails:
            return []
        columns: dict[str, Sequence[object]] = {
            "id": [mail.id for mail in mails],
            "body": [self._codec.encode(mail) for mail in mails],
            "submitted_at": [mail.submitted_at for mail in mails],
        }
        try:
            self._database.check_room()
            self._database.execute_many(_PUT[self._database.dialect], columns, notify=True)
        except DatabaseUnavailable as error:
            in_doubt = isinstance(error, CommitInDoubt)
            return [NotKept(reason=str(error), in_doubt=in_doubt)] * len(mails)
        return [Kept()] * len(mails)

    @database_errors_as(QueueUnavailable)
    def receive(self, limit: int, wait: float) -> list[Lease]:
        """Lease up to ``limit`` mails: what is ready, then what has been due longest."""
        until = time.monotonic() + wait
        while not (claimed := self._claim(limit)):
            if not self._await_due(until):
                break
        return claimed

    @database_errors_as(QueueUnavailable)
    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Remove the mails. Return the leases that were already lost."""
        return sql_leases.ack(self._database, leases)

    @database_errors_as(QueueUnavailable)
    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Restart the time of the leases. Return the leases that were already lost."""
        return sql_leases.extend(self._database, leases, seconds=self._lease_seconds)

    @database_errors_as(QueueUnavailable)
    def release(self, lease: Lease, delay: float) -> None:
        """Give the mail back, due again in ``delay`` seconds."""
        sql_leases.release(self._database, lease, delay=float(delay))

    @database_errors_as(QueueUnavailable)
    def bury(self, lease: Lease, death: Death) -> None:
        """Move the mail to the dead letters, in one transaction."""
        with self._database.transaction() as transaction:
            bury(transaction, self._database.dialect, lease, death)

    @database_errors_as(QueueUnavailable)
    def check_put(self) -> None:
        """Write a row that is no mail."""
        check_write(self._database)

    @database_errors_as(QueueUnavailable)
    def depth(self) -> Depth:
        """Count the mails, at a cost that does not grow with them."""
        return depth(self._database)

    def _claim(self, limit: int) -> list[Lease]:
        return sql_leases.claim(
            self._database, self._codec, limit=limit, seconds=self._lease_seconds
        )

    def _await_due(self, until: float) -> bool:
        """Sleep until a mail is due. Return False if none is due by then."""
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
