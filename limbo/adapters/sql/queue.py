"""A queue as a table of a database, SQLite or PostgreSQL."""

import secrets
import time
from collections.abc import Sequence

from limbo.adapters.encoding.codec import encode_attempts
from limbo.adapters.sql.database import (
    CommitInDoubt,
    Database,
    DatabaseUnavailable,
    database_errors_as,
)
from limbo.adapters.sql.dead_letters import SqlDeadLetters
from limbo.adapters.sql.queue_statements import (
    BURY,
    BY_DIALECT,
    DEAD,
    DEPTH,
    DUE_IN,
    RELEASE,
    TAKE,
    insert,
    read_mail,
)
from limbo.domain.delivery.verdict import Death
from limbo.domain.errors import QueueUnavailable
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Depth, Kept, Lease, NotKept

_LONGEST_SLEEP = 5.0  # should a clock jump, or news be lost
_SHORTEST_SLEEP = 0.002  # while what is due is being taken by another


class SqlQueue:
    """A MailQueue in a table, durable as the database is.

    A lease is a receipt drawn at random and a time at which the mail is due again: whoever
    finds a due mail that still has a receipt knows that its last lease ran out.
    """

    def __init__(self, database: Database, *, lease_seconds: float = 60.0) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._sql = BY_DIALECT[database.dialect]
        self.dead_letters = SqlDeadLetters(database)

    def put(self, mails: Sequence[Mail]) -> list[Kept | NotKept]:
        """Keep all the mails, or none; one whose id is there already is kept as it is."""
        if not mails:
            return []
        try:
            self._database.check_room()
            insert(self._database, self._sql, mails)
        except DatabaseUnavailable as error:
            in_doubt = isinstance(error, CommitInDoubt)
            return [NotKept(reason=str(error), in_doubt=in_doubt)] * len(mails)
        return [Kept()] * len(mails)

    @database_errors_as(QueueUnavailable)
    def receive(self, limit: int, wait: float) -> list[Lease]:
        """Lease up to ``limit`` mails, those that are due the longest."""
        until = time.monotonic() + wait
        while not (leases := self._claim(limit)):
            if not self._await_due(until):
                break
        return leases

    @database_errors_as(QueueUnavailable)
    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Remove the mails; return the leases that were lost before."""
        return self._settle(self._sql.ack, leases)

    @database_errors_as(QueueUnavailable)
    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Start the leases' time anew; return those that were lost before."""
        return self._settle(self._sql.extend, leases, seconds=self._lease_seconds)

    @database_errors_as(QueueUnavailable)
    def release(self, lease: Lease, delay: float) -> None:
        """Give the mail back, due again in ``delay`` seconds."""
        self._database.execute(
            RELEASE,
            {
                "id": lease.mail.id,
                "receipt": lease.receipt,
                "delay": float(delay),
                "touches": lease.touches,
                "possible_duplicate": lease.possible_duplicate,
            },
            notify=True,
        )

    @database_errors_as(QueueUnavailable)
    def bury(self, lease: Lease, death: Death) -> None:
        """Move the mail to the dead letters, in one transaction."""
        with self._database.transaction() as transaction:
            taken = transaction.execute(TAKE, {"id": lease.mail.id, "receipt": lease.receipt})
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
                transaction.execute(BURY, letter)

    @database_errors_as(QueueUnavailable)
    def depth(self) -> Depth:
        """Count the mails, which takes some tenths of a second for a million."""
        [[ready, in_flight, deferred, age]] = self._database.execute(DEPTH)
        return Depth(
            ready=ready,
            in_flight=in_flight,
            deferred=deferred,
            oldest_age=max(0.0, age or 0.0),
            dead=dict(self._database.execute(DEAD)),
        )

    def _claim(self, limit: int) -> list[Lease]:
        receipt = secrets.token_hex(16)
        values = {"receipt": receipt, "seconds": self._lease_seconds, "limit": limit}
        return [
            Lease(
                mail=read_mail(body, id_),
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
        [[seconds]] = self._database.execute(DUE_IN)
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
        held = {(id_, receipt) for id_, receipt in self._database.execute_many(sql, columns)}
        return [lease for lease in leases if (lease.mail.id, lease.receipt) not in held]
