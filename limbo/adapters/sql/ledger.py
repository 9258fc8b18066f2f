"""A ledger as tables of a database, SQLite or PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import assert_never

import orjson

from limbo.adapters.encoding.codec import encode_attempts, encode_cause
from limbo.adapters.outbox.once_per_key import Reservation, key_hash, reserved
from limbo.adapters.sql.database import Database, Executor, Row, database_errors_as
from limbo.adapters.sql.entries import claim, columns, entries
from limbo.adapters.sql.ledger_reader import SqlLedgerReader
from limbo.adapters.sql.ledger_statements import (
    BY_DIALECT,
    CHANGE,
    EXPIRED_KEYS,
    OLD_CONTENTS,
    OLD_MAILS,
)
from limbo.domain.delivery.entry import Entry
from limbo.domain.delivery.lifecycle import (
    End,
    Start,
    StartReply,
    Status,
    read_status,
)
from limbo.domain.errors import LedgerUnavailable
from limbo.domain.mail.ids import lowest_id
from limbo.ports.outbox import Submission

Attempts = dict[tuple[str, float, str], bytes | None]


class SqlLedger:
    """A Ledger and the Reservations in it; ``ledger_reader`` is how it is read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = BY_DIALECT[database.dialect]
        self.ledger_reader = SqlLedgerReader(database)

    @database_errors_as(LedgerUnavailable)
    def write(self, events: Sequence[Start | End]) -> list[StartReply | None]:
        """Record the events in one transaction."""
        if not events:
            return []
        with self._database.transaction() as transaction:
            entries = self._read(transaction, sorted({event.mail_id for event in events}))
            attempts: Attempts = {}
            answers = [_apply(event, entries.get(event.mail_id), attempts) for event in events]
            if attempts:
                names = ("mail_id", "started_at", "sender", "outcome")
                rows = [(*key, outcome) for key, outcome in attempts.items()]
                transaction.execute_many(self._sql.write_attempts, columns(names, rows))
            self._change(transaction, entries)
        return answers

    @database_errors_as(LedgerUnavailable)
    def reserve(self, submissions: Sequence[Submission]) -> list[Reservation]:
        """Enter the mails whose keys are free, in one transaction."""
        with self._database.transaction() as transaction:
            self._database.check_room()
            reservations = claim(transaction, self._sql, submissions)
            entered = reserved(submissions, reservations)
            if entered:
                given = entries(entered, Status.SUBMITTING)
                transaction.execute_many(self._sql.enter, given)
        return reservations

    @database_errors_as(LedgerUnavailable)
    def conclude(self, *, kept: Sequence[Submission], refused: Sequence[Submission]) -> None:
        """Record what the queue said, unless a worker has had the mail since."""
        names = sorted(key_hash(s.client, s.idempotency) for s in refused if s.idempotency)
        with self._database.transaction() as transaction:
            transaction.execute_many(self._sql.keep, {"id": _ids(kept)})
            transaction.execute_many(self._sql.refuse, {"id": _ids(refused)})
            transaction.execute_many(self._sql.free_keys, {"name": names})

    @database_errors_as(LedgerUnavailable)
    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:
        """Forget in one transaction; keys that have run out count as well."""
        with self._database.transaction() as transaction:
            count = len(transaction.execute(EXPIRED_KEYS, {"limit": limit}))
            before = {"before": lowest_id(bodies_before), "limit": limit - count}
            ids = [id_ for (id_,) in transaction.execute(OLD_CONTENTS, before)]
            transaction.execute_many(self._sql.forget_contents, {"id": ids})
            count += len(ids)
            before = {"before": lowest_id(records_before), "limit": limit - count}
            rows = transaction.execute(OLD_MAILS + self._sql.lock, before)
            self._forget(transaction, rows)
            return count + len(rows)

    def _forget(self, executor: Executor, rows: Sequence[Row]) -> None:
        ids = [id_ for id_, *_ in rows]
        recipients = [
            (address.lower(), client, id_)
            for id_, client, addresses in rows
            for address in orjson.loads(addresses)
        ]
        if rows:
            given = columns(("address", "client", "id"), recipients)
            executor.execute_many(self._sql.forget_recipients, given)
            executor.execute_many(self._sql.forget_attempts, {"mail_id": ids})
            executor.execute_many(self._sql.forget_contents, {"id": ids})
            executor.execute_many(self._sql.forget_mails, {"id": ids})

    def _read(self, executor: Executor, ids: Sequence[str]) -> dict[str, Entry]:
        """Read the entries, and keep them from changing until the transaction is over."""
        entries = {}
        for row in executor.execute_many(self._sql.read_entries, {"id": ids}):
            id_, status, updated_at, last_start, possible_duplicate = row
            entries[id_] = Entry(
                status=read_status(status),
                updated_at=updated_at,
                last_start=last_start,
                possible_duplicate=bool(possible_duplicate),
            )
        for row in executor.execute_many(self._sql.read_unfinished, {"mail_id": ids}):
            mail_id, sender, started_at = row
            if mail_id in entries:
                entries[mail_id].unfinished.add((sender, started_at))
        return entries

    def _change(self, executor: Executor, entries: Mapping[str, Entry]) -> None:
        """Write what the events left, and nothing else of what a newer limbo may have written."""
        rows = [
            (
                id_,
                entry.status.value,
                entry.updated_at,
                entry.last_start,
                entry.next_at,
                None if entry.cause is None else encode_cause(entry.cause),
                entry.possible_duplicate,
            )
            for id_, entry in entries.items()
            if entry.changed
        ]
        if rows:
            executor.execute_many(self._sql.change_mails, columns(("id", *CHANGE), rows))
        marked = [id_ for id_, entry in entries.items() if entry.marked and not entry.changed]
        if marked:
            executor.execute_many(self._sql.mark_mails, {"id": marked})


def _apply(event: Start | End, entry: Entry | None, attempts: Attempts) -> StartReply | None:
    """Change the entry, and add the rows of its attempts; a mail without one leaves no trace."""
    match event:
        case Start():
            begun = StartReply() if entry is None else entry.begin(event)
            if entry is not None and begun.stop is None:
                attempts.setdefault((event.mail_id, event.started_at, event.sender), None)
            return begun
        case End():
            if entry is not None:
                entry.end(event)
                for attempt in event.attempts:
                    key = (event.mail_id, attempt.started_at, attempt.sender)
                    if attempts.get(key) is None:
                        attempts[key] = encode_attempts([attempt])
            return None
        case _:
            assert_never(event)


def _ids(submissions: Sequence[Submission]) -> list[str]:
    return sorted(submission.mail.id for submission in submissions)
