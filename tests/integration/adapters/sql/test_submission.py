import contextlib
import multiprocessing
import threading
from collections.abc import Callable

import pytest

from limbo.adapters.encoding.mail_codec import PLAIN
from limbo.adapters.sql.database import Database, DatabaseUnavailable
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.ports.ledger_reader import Query
from limbo.ports.outbox import KeyConflict, Replayed
from limbo.ports.queue import Kept, NotKept
from tests.contracts.outbox import (
    REFUSAL,
    OutboxContract,
    OutboxRig,
    Switch,
    keyed,
    plain,
)
from tests.support.body_keys import a_codec
from tests.support.sql import OnPostgres, OnSqlite, open_database


class SwitchedRoom:
    """Says of another database that it has no room, while it is off."""

    def __init__(self, database: Database, switch: Switch) -> None:
        self.dialect = database.dialect
        self.transaction = database.transaction
        self.execute_many = database.execute_many
        self._switch = switch

    def check_room(self) -> None:
        if not self._switch.on:
            raise DatabaseUnavailable(REFUSAL.reason)


class SqlOutboxTests(OutboxContract):
    codec = PLAIN

    @pytest.fixture
    def new_rig(self, new_url: Callable[[], str]) -> Callable[[], OutboxRig]:
        def new() -> OutboxRig:
            database, switch = open_database(new_url()), Switch()
            return OutboxRig(
                outbox=SqlOutbox(SwitchedRoom(database, switch), codec=self.codec),
                queue=SqlQueue(database, codec=self.codec),
                switch=switch,
                ledger_reader=SqlLedger(database, codec=self.codec).ledger_reader,
                close=database.close,
            )

        return new

    def test_a_failed_submission_leaves_no_trace(self, rig):
        rig.switch.on = False
        rig.outbox.submit([plain(), keyed()])
        assert rig.ledger_reader.page(Query(client=None)) == []


class TestSqliteOutbox(OnSqlite, SqlOutboxTests):
    pass


class TestPostgresOutbox(OnPostgres, SqlOutboxTests):
    pass


class TestSealedSqliteOutbox(OnSqlite, SqlOutboxTests):
    codec = a_codec("k1")


class TestSealedPostgresOutbox(OnPostgres, SqlOutboxTests):
    codec = a_codec("k1")


def test_the_same_mail_submitted_again_is_kept_once(outbox, queue, ledger):
    submission = plain()
    assert outbox.submit([submission]) == outbox.submit([submission]) == [Kept()]
    assert len(ledger.ledger_reader.page(Query(client=None))) == queue.depth().ready == 1


def _submit(url: str, start: threading.Event, answers: "multiprocessing.Queue[list[object]]"):
    with contextlib.closing(open_database(url)) as database:
        outbox = SqlOutbox(database)
        start.wait(60)
        for _ in range(25):
            answers.put(outbox.submit([keyed("a"), keyed("b"), keyed("a"), plain()]))


def test_the_same_key_from_two_processes_is_one_mail(url, queue, ledger):
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Event(), spawn.Queue()
    processes = [spawn.Process(target=_submit, args=(url, start, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    start.set()
    batches = [answers.get(timeout=60) for _ in range(50)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    keyed_answers = [answer for batch in batches for answer in batch[:3]]
    assert keyed_answers.count(Kept()) == 2
    assert {type(answer) for answer in keyed_answers} == {Kept, Replayed}
    assert len({answer.mail_id for answer in keyed_answers if answer != Kept()}) == 2
    assert (
        queue.depth().ready == len(ledger.ledger_reader.page(Query(client=None, limit=100))) == 52
    )


def test_a_key_whose_first_submission_fails_is_the_next_one_s(database, outbox):
    full = SwitchedRoom(database, Switch(on=False))
    assert SqlOutbox(full).submit([keyed()]) == [REFUSAL]
    assert outbox.submit([keyed(fingerprint="g")]) == [Kept()]
    assert outbox.submit([keyed()]) == [KeyConflict.REUSED]


def test_a_full_file_keeps_nothing_of_a_submission(tmp_path):
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")) as database:
        queue = SqlQueue(database)
        outbox, ledger_reader = SqlOutbox(database), SqlLedger(database).ledger_reader
        kept = 0
        [[pages]] = database.execute("SELECT page_count FROM pragma_page_count")
        database.execute(f"PRAGMA max_page_count = {pages + 60}")
        while (answers := outbox.submit([keyed(str(kept)), plain()])) == [Kept()] * 2:
            kept += 2
        assert answers == [NotKept(reason="database or disk is full")] * 2
        assert 0 < kept == queue.depth().ready
        assert len(ledger_reader.page(Query(client=None, limit=10_000))) == kept
