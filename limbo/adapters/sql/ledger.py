"""A ledger in tables of a database, SQLite or PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from limbo.adapters.encoding.codec import encode_attempts, encode_cause
from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec
from limbo.adapters.outbox.once_per_key import Reservation, reserved
from limbo.adapters.sql.cells import number, number_or_none, text
from limbo.adapters.sql.database import Database, Dialect, Executor, database_errors_as
from limbo.adapters.sql.entry import enter
from limbo.adapters.sql.idempotency import claim_keys, free_keys
from limbo.adapters.sql.ledger_reader import SqlLedgerReader
from limbo.adapters.sql.purge import forget_contents, forget_expired_keys, forget_records
from limbo.adapters.sql.readiness import check_write
from limbo.adapters.sql.statements import (
    among,
    as_columns,
    change_status,
    in_each,
    insert,
    update,
)
from limbo.domain.delivery.entry import Entry
from limbo.domain.delivery.lifecycle import (
    KEEP,
    REFUSE,
    End,
    Start,
    StartReply,
    read_status,
)
from limbo.domain.errors import LedgerUnavailable
from limbo.ports.outbox import Submission

_CHANGE = {
    "status": "text",
    "updated_at": "float8",
    "last_start": "float8",
    "next_at": "float8",
    "cause": "bytea",
    "possible_duplicate": "bool",
}
_ATTEMPT = {"mail_id": "text", "started_at": "float8", "sender": "text", "outcome": "bytea"}
_READ_ENTRIES = in_each(
    lambda dialect: (
        f"""
        SELECT id, status, updated_at, last_start, possible_duplicate
        FROM limbo_mails WHERE {among(dialect, "id")} ORDER BY id
        {"" if dialect is Dialect.SQLITE else "FOR UPDATE"}
    """
    )
)
_READ_UNFINISHED = in_each(
    lambda dialect: (
        f"""
        SELECT mail_id, sender, started_at FROM limbo_attempts
        WHERE {among(dialect, "mail_id")} AND outcome IS NULL
    """
    )
)
_CHANGE_MAILS = in_each(lambda dialect: update(dialect, "limbo_mails", {"id": "text"}, _CHANGE))
_MARK = "UPDATE limbo_mails SET possible_duplicate = TRUE WHERE "
_MARK_MAILS = in_each(lambda dialect: _MARK + among(dialect, "id"))
_WRITE_ATTEMPTS = in_each(
    lambda dialect: insert(
        dialect,
        "limbo_attempts AS a",
        _ATTEMPT,
        """
            (mail_id, started_at, sender) DO UPDATE SET outcome = excluded.outcome
            WHERE a.outcome IS NULL AND excluded.outcome IS NOT NULL
        """,
    )
)
_KEEP = in_each(lambda dialect: change_status(KEEP, among(dialect, "id")))
_REFUSE = in_each(lambda dialect: change_status(REFUSE, among(dialect, "id")))

_Attempts = dict[tuple[str, float, str], bytes | None]


class SqlLedger:
    """A Ledger and its Reservations. ``ledger_reader`` reads it."""

    def __init__(self, database: Database, *, codec: MailCodec = PLAIN) -> None:
        self._database = database
        self._dialect = database.dialect
        self._codec = codec
        self.ledger_reader = SqlLedgerReader(database, codec)

    @database_errors_as(LedgerUnavailable)
    def write(self, events: Sequence[Start | End]) -> list[StartReply | None]:
        """Record the events in one transaction."""
        if not events:
            return []
        with self._database.transaction() as transaction:
            entries = self._read(transaction, sorted({event.mail_id for event in events}))
            attempts: _Attempts = {}
            replies = [_apply(event, entries.get(event.mail_id), attempts) for event in events]
            if attempts:
                rows = [(*started, outcome) for started, outcome in attempts.items()]
                columns = as_columns([*_ATTEMPT], rows)
                transaction.execute_many(_WRITE_ATTEMPTS[self._dialect], columns)
            self._change(transaction, entries)
        return replies

    @database_errors_as(LedgerUnavailable)
    def reserve(self, submissions: Sequence[Submission]) -> list[Reservation]:
        """Enter the mails whose idempotency keys are free, in one transaction."""
        with self._database.transaction() as transaction:
            self._database.check_room()
            reservations = claim_keys(transaction, self._dialect, submissions)
            if entered := reserved(submissions, reservations):
                enter(transaction, self._dialect, entered, self._codec, queue=False)
        return reservations

    @database_errors_as(LedgerUnavailable)
    def check_put(self) -> None:
        """Write a row that is no entry."""
        check_write(self._database)

    @database_errors_as(LedgerUnavailable)
    def conclude(self, *, kept: Sequence[Submission], refused: Sequence[Submission]) -> None:
        """Record the queue's results, unless a worker has had the mail since."""
        with self._database.transaction() as transaction:
            transaction.execute_many(_KEEP[self._dialect], {"id": _ids(kept)})
            transaction.execute_many(_REFUSE[self._dialect], {"id": _ids(refused)})
            free_keys(transaction, self._dialect, refused)

    @database_errors_as(LedgerUnavailable)
    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:
        """Delete in one transaction. Expired idempotency keys count too."""
        with self._database.transaction() as transaction:
            count = forget_expired_keys(transaction, limit)
            count += forget_contents(
                transaction, self._dialect, before=bodies_before, limit=limit - count
            )
            count += forget_records(
                transaction, self._dialect, before=records_before, limit=limit - count
            )
            return count

    def _read(self, executor: Executor, ids: Sequence[str]) -> dict[str, Entry]:
        """Read the entries, and lock them until the end of the transaction."""
        entries = {}
        for row in executor.execute_many(_READ_ENTRIES[self._dialect], {"id": ids}):
            id_, status, updated_at, last_start, possible_duplicate = row
            entries[id_] = Entry(
                status=read_status(text(status)),
                updated_at=number(updated_at),
                last_start=number_or_none(last_start),
                possible_duplicate=bool(possible_duplicate),
            )
        for row in executor.execute_many(_READ_UNFINISHED[self._dialect], {"mail_id": ids}):
            mail_id, sender, started_at = row
            if mail_id in entries:
                entries[mail_id].unfinished.add((sender, started_at))
        return entries

    def _change(self, executor: Executor, entries: Mapping[str, Entry]) -> None:
        """Write only what the events changed. A newer limbo may have written other columns."""
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
            columns = as_columns(["id", *_CHANGE], rows)
            executor.execute_many(_CHANGE_MAILS[self._dialect], columns)
        marked = [id_ for id_, entry in entries.items() if entry.marked and not entry.changed]
        if marked:
            executor.execute_many(_MARK_MAILS[self._dialect], {"id": marked})


def _apply(event: Start | End, entry: Entry | None, attempts: _Attempts) -> StartReply | None:
    """Change the entry, and add rows for its attempts. Without an entry, record nothing."""
    match event:
        case Start():
            reply = StartReply() if entry is None else entry.begin(event)
            if entry is not None and reply.stop is None:
                attempts.setdefault((event.mail_id, event.started_at, event.sender), None)
            return reply
        case End():
            if entry is not None:
                entry.end(event)
                for attempt in event.attempts:
                    started = (event.mail_id, attempt.started_at, attempt.sender)
                    if attempts.get(started) is None:
                        attempts[started] = encode_attempts([attempt])
            return None
        case _:
            assert_never(event)


def _ids(submissions: Sequence[Submission]) -> list[str]:
    return sorted(submission.mail.id for submission in submissions)
