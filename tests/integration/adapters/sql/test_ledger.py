import contextlib
import itertools
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.outbox.ledger_first import LedgerFirstOutbox
from limbo.adapters.sql.database import Database, DatabaseUnavailable
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.delivery.lifecycle import End, Start, StartReply, Status, Stop
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Death
from limbo.domain.errors import LedgerUnavailable
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger_reader import Query, RecordedAttempt
from limbo.ports.outbox import KeyConflict, Replayed, Submission
from limbo.ports.queue import Kept, NotKept
from tests.contracts.ledger import LedgerContract, LedgerRig
from tests.contracts.outbox import (
    REFUSAL,
    OutboxContract,
    OutboxRig,
    RefusingQueue,
    Switch,
    keyed,
    plain,
)
from tests.contracts.queue import a_mail, take_one
from tests.support.postgres import PostgresServer

OUTAGE = Cause(kind="outage", sender="fake.a", reason="connection refused")
TABLES = (
    "limbo_queue, limbo_dead_letters, limbo_mails, limbo_contents, limbo_recipients,"
    " limbo_attempts, limbo_idempotency"
)


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def elapse(self, seconds: float) -> None:
        self.time += seconds


def open_database(url: str, now: Callable[[], float] | None = None) -> Database:
    if url.startswith("sqlite"):
        return SqliteDatabase.connect(url, now=now) if now else SqliteDatabase.connect(url)
    return PostgresDatabase.connect(url, now=now)


@pytest.fixture(scope="module")
def postgres_contract_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


class OnSqlite:
    @pytest.fixture
    def new_url(self, tmp_path: Path) -> Callable[[], str]:
        numbers = itertools.count()
        return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


class OnPostgres:
    @pytest.fixture
    def new_url(self, postgres_contract_url: str) -> Callable[[], str]:
        def new() -> str:
            with contextlib.closing(open_database(postgres_contract_url)) as database:
                database.execute(f"TRUNCATE {TABLES}")
            return postgres_contract_url

        return new


class SqlLedgerTests(LedgerContract):
    @pytest.fixture
    def new_rig(self, new_url: Callable[[], str]) -> Callable[[], LedgerRig]:
        def new() -> LedgerRig:
            clock = Clock()
            database = open_database(new_url(), clock.now)
            ledger = SqlLedger(database)
            return LedgerRig(
                ledger=ledger,
                ledger_reader=ledger.ledger_reader,
                reservations=ledger,
                now=clock.now,
                elapse=clock.elapse,
                close=database.close,
            )

        return new


class TestSqliteLedger(OnSqlite, SqlLedgerTests):
    pass


class TestPostgresLedger(OnPostgres, SqlLedgerTests):
    machine_settings = settings(LedgerContract.machine_settings, max_examples=12)


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
    @pytest.fixture
    def new_rig(self, new_url: Callable[[], str]) -> Callable[[], OutboxRig]:
        def new() -> OutboxRig:
            database, switch = open_database(new_url()), Switch()
            return OutboxRig(
                outbox=SqlOutbox(SwitchedRoom(database, switch)),
                queue=SqlQueue(database),
                switch=switch,
                ledger_reader=SqlLedger(database).ledger_reader,
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


class SqlLedgerFirstTests(OutboxContract):
    @pytest.fixture
    def new_rig(self, new_url: Callable[[], str]) -> Callable[[], OutboxRig]:
        def new() -> OutboxRig:
            database = open_database(new_url())
            queue, switch, ledger = MemoryQueue(), Switch(), SqlLedger(database)
            return OutboxRig(
                outbox=LedgerFirstOutbox(RefusingQueue(queue, switch), ledger),
                queue=queue,
                switch=switch,
                ledger_reader=ledger.ledger_reader,
                close=database.close,
            )

        return new


class TestSqliteLedgerFirst(OnSqlite, SqlLedgerFirstTests):
    pass


class TestPostgresLedgerFirst(OnPostgres, SqlLedgerFirstTests):
    pass


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/limbo.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with contextlib.closing(open_database(url)) as opened:
        yield opened


@pytest.fixture
def queue(database: Database) -> SqlQueue:
    return SqlQueue(database)


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database)


@pytest.fixture
def outbox(database: Database) -> SqlOutbox:
    return SqlOutbox(database)


def begin(ledger: SqlLedger, mail: Mail) -> StartReply | None:
    [begun] = ledger.write([Start(mail_id=mail.id, sender="ses", started_at=1.5)])
    return begun


# what a newer limbo wrote

NEWER_ATTEMPT = b'[{"sender": "ses", "started_at": 1.5, "duration": 0.5, "fault": "quota"}]'
NEWER_CAUSE = b'{"v": 2}'


def test_a_status_of_a_newer_limbo_is_left_alone_and_costs_no_other_mail(database, ledger):
    newer, other = plain(), plain()
    ledger.reserve([newer, other])
    plant = "UPDATE limbo_mails SET status = 'bounced' WHERE id = :id"
    database.execute(plant, {"id": newer.mail.id})
    start = Start(mail_id=newer.mail.id, sender="ses", started_at=1.5)
    sent = Attempt(sender="ses", started_at=1.0, duration=0.5, verdict=Accepted("x"))
    end = End(mail_id=newer.mail.id, status=Status.SENT, at=1.5, attempts=[sent])
    answers = ledger.write(
        [start, replace(start, mail_id=other.mail.id), replace(end, possible_duplicate=True)]
    )
    assert answers == [StartReply(Stop.ALREADY_SENT), StartReply(possible_duplicate=False), None]
    rows = database.execute("SELECT status, possible_duplicate FROM limbo_mails ORDER BY status")
    assert rows == [("bounced", True), ("sending", False)]
    record = ledger.ledger_reader.find(newer.mail.id, None)
    assert record.status is Status.SENT
    assert [t.attempt for t in record.attempts] == [sent]
    assert len(ledger.ledger_reader.page(Query(client=None))) == 2
    assert ledger.ledger_reader.cancel(newer.mail.id, None) is Status.SENT


def test_a_cause_or_an_outcome_of_a_newer_limbo_is_not_known_and_stays(database, ledger):
    submission = plain()
    ledger.reserve([submission])
    attempt = Attempt(sender="ses", started_at=1.5, duration=0.5, verdict=Accepted("x"))
    end = End(mail_id=submission.mail.id, status=Status.DEAD, at=2.0, cause=OUTAGE)
    ledger.write([end])
    database.execute("UPDATE limbo_mails SET cause = :cause", {"cause": NEWER_CAUSE})
    database.execute(
        "INSERT INTO limbo_attempts VALUES (:id, 1.5, 'ses', :outcome)",
        {"id": submission.mail.id, "outcome": NEWER_ATTEMPT},
    )
    ledger.write([replace(end, possible_duplicate=True)])
    assert database.execute("SELECT cause FROM limbo_mails") == [(NEWER_CAUSE,)]
    record = ledger.ledger_reader.find(submission.mail.id, None)
    assert (record.status, record.cause) == (Status.DEAD, None)
    assert record.possible_duplicate
    assert [*record.attempts] == [RecordedAttempt(sender="ses", started_at=1.5, attempt=None)]
    assert [r.cause for r in ledger.ledger_reader.page(Query(client=None))] == [None]
    ledger.write([replace(end, attempts=[attempt], status=Status.SENT)])
    assert ledger.ledger_reader.find(submission.mail.id, None).status is Status.SENT
    assert database.execute("SELECT outcome FROM limbo_attempts") == [(NEWER_ATTEMPT,)]


def test_a_dead_letter_whose_attempts_a_newer_limbo_wrote_is_listed(database, outbox, queue):
    outbox.submit([plain(), plain()])
    for lease in queue.receive(2, 0):
        queue.bury(lease, Death(cause=OUTAGE))
    database.execute("UPDATE limbo_dead_letters SET attempts = :body", {"body": NEWER_ATTEMPT})
    assert [letter.attempts for letter in queue.dead_letters.list(10)] == [(), ()]


# queue and ledger in one database


def test_a_cancelled_mail_leaves_the_queue(outbox, queue, ledger):
    submission = plain("shop")
    outbox.submit([submission])
    assert ledger.ledger_reader.cancel(submission.mail.id, "blog") is None
    assert queue.depth().ready == 1
    assert ledger.ledger_reader.cancel(submission.mail.id, "shop") is Status.CANCELLED
    assert queue.receive(1, 0) == []


def test_a_cancelled_mail_stays_with_whoever_holds_its_lease(outbox, queue, ledger):
    submission = plain()
    outbox.submit([submission])
    lease = take_one(queue)
    assert ledger.ledger_reader.cancel(submission.mail.id, None) is Status.CANCELLED
    assert begin(ledger, submission.mail) == StartReply(Stop.CANCELLED)
    assert queue.ack([lease]) == []


def test_a_redrive_queues_a_dead_mail_in_the_ledger_as_well(outbox, queue, ledger):
    dead, sent = plain(), plain()
    outbox.submit([dead, sent])
    for lease in queue.receive(2, 0):
        queue.bury(lease, Death(cause=OUTAGE))
    ledger.write(
        [
            End(mail_id=dead.mail.id, status=Status.DEAD, at=1.0, cause=OUTAGE),
            End(mail_id=sent.mail.id, status=Status.SENT, at=1.0),
        ]
    )
    letters = queue.dead_letters
    assert letters.redrive([letter.id for letter in letters.list(10)]) == 2
    record = ledger.ledger_reader.find(dead.mail.id, None)
    assert (record.status, record.cause) == (Status.QUEUED, None)
    assert begin(ledger, dead.mail) == StartReply(possible_duplicate=False)
    assert begin(ledger, sent.mail) == StartReply(Stop.ALREADY_SENT)


def test_the_same_mail_submitted_again_is_kept_once(outbox, queue, ledger):
    submission = plain()
    assert outbox.submit([submission]) == outbox.submit([submission]) == [Kept()]
    assert len(ledger.ledger_reader.page(Query(client=None))) == queue.depth().ready == 1


def _submit(url: str, start: threading.Event, answers: "multiprocessing.Queue[list[object]]"):
    with contextlib.closing(open_database(url)) as database:
        outbox = SqlOutbox(database)
        start.wait(30)
        for _ in range(25):
            answers.put(outbox.submit([keyed("a"), keyed("b"), keyed("a"), plain()]))


def test_the_same_key_from_two_processes_is_one_mail(url, queue, ledger):
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Event(), spawn.Queue()
    processes = [spawn.Process(target=_submit, args=(url, start, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    start.set()
    batches = [answers.get(timeout=30) for _ in range(50)]
    for process in processes:
        process.join(30)
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


def test_a_ledger_that_cannot_be_used_says_so(database, ledger, outbox):
    mail = a_mail()
    database.execute("DROP TABLE limbo_mails")
    submission = Submission(mail=mail)
    for use in (
        lambda: begin(ledger, mail),
        lambda: ledger.reserve([submission]),
        lambda: ledger.conclude(kept=[submission], refused=[]),
        lambda: ledger.purge(bodies_before=1, records_before=1, limit=10),
        lambda: ledger.ledger_reader.find(mail.id, None),
        lambda: ledger.ledger_reader.page(Query(client=None)),
        lambda: ledger.ledger_reader.page(Query(client=None, status=Status.SENT)),
        lambda: ledger.ledger_reader.cancel(mail.id, None),
    ):
        with pytest.raises(LedgerUnavailable, match="limbo_mails"):
            use()
    [answer] = outbox.submit([submission])
    assert isinstance(answer, NotKept)
    assert "limbo_mails" in answer.reason


def test_what_lies_in_the_ledger_and_is_no_mail_has_no_content(database, ledger, outbox):
    submission = plain()
    outbox.submit([submission])
    database.execute("UPDATE limbo_contents SET body = :body", {"body": b"\xff"})
    assert ledger.ledger_reader.find(submission.mail.id, None).mail is None


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


# the plans by which a large ledger is as quick as a small one


@pytest.mark.parametrize(
    "query",
    [
        Query(client=None),
        Query(client=None, after="0", since=1.0),
        Query(client=None, status=Status.DEAD),
        Query(client=None, to="a@example.com"),
        Query(client="shop"),
        Query(client="shop", after="0"),
        Query(client="shop", status=Status.DEAD),
        Query(client="shop", to="a@example.com", status=Status.DEAD, after="0"),
    ],
)
def test_no_page_scans_or_sorts_in_sqlite(tmp_path, query):
    class Explaining(SqliteDatabase):
        def execute(self, sql, values=None, **options):
            rows = super().execute(f"EXPLAIN QUERY PLAN {sql}", values)
            plans.extend(detail for *_, detail in rows)
            return super().execute(sql, values, **options)

    plans: list[str] = []
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")) as plain_one:
        SqlOutbox(plain_one).submit([plain("shop")])
    with contextlib.closing(Explaining(tmp_path / "limbo.db")) as database:
        SqlLedger(database).ledger_reader.page(query)
    assert plans
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    scans = [plan for plan in plans if plan.startswith("SCAN")]
    assert not [plan for plan in scans if "limbo_" in plan and query != Query(client=None)]
