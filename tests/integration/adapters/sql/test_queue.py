import contextlib
import itertools
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from limbo.adapters.sql.database import Database, Executor
from limbo.adapters.sql.migrations import VERSION
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.verdict import UNDECODABLE, Cause, Death, Fault
from limbo.domain.errors import QueueUnavailable, SettingsError
from limbo.ports.queue import Kept, NotKept, Undecodable
from tests.contracts.queue import QueueContract, Rig, a_mail, take, take_one
from tests.support.postgres import PostgresServer, running_postgres

OUTAGE = Death(cause=Cause(kind=Fault.OUTAGE, sender="fake.a", reason="connection refused"))
_PLANT = """
    INSERT INTO limbo_queue (id, body, submitted_at, due) VALUES (:id, :body, :now, :now)
"""


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def elapse(self, seconds: float) -> None:
        self.time += seconds


def a_rig(database: Database, clock: Clock, lease_seconds: float) -> Rig:
    queue = SqlQueue(database, lease_seconds=lease_seconds)
    names = (f"planted-{number}" for number in itertools.count())
    return Rig(
        queue=queue,
        dead_letters=queue.dead_letters,
        elapse=clock.elapse,
        plant=lambda body: plant(database, next(names), body.encode()),
        now=clock.now,
        close=database.close,
    )


def plant(database: Executor, name: str, body: bytes) -> None:
    database.execute(_PLANT, {"id": name, "body": body})


class TestSqliteQueue(QueueContract):
    @pytest.fixture
    def new_rig(self, tmp_path: Path) -> Callable[[], Rig]:
        numbers = itertools.count()

        def new() -> Rig:
            clock = Clock()
            url = f"sqlite:///{tmp_path}/{next(numbers)}.db"
            return a_rig(SqliteDatabase.connect(url, now=clock.now), clock, self.lease_seconds)

        return new


@pytest.fixture(scope="module")
def contract_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


class TestPostgresQueue(QueueContract):
    @pytest.fixture
    def new_rig(self, contract_url: str) -> Callable[[], Rig]:
        def new() -> Rig:
            clock = Clock()
            database = PostgresDatabase.connect(contract_url, now=clock.now)
            database.execute("TRUNCATE limbo_queue, limbo_dead_letters")
            return a_rig(database, clock, self.lease_seconds)

        return new


def open_database(url: str) -> Database:
    if url.startswith("sqlite"):
        return SqliteDatabase.connect(url)
    return PostgresDatabase.connect(url)


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


@pytest.mark.parametrize("body", [b"\xff\xfe\x00{", b"", b"{" * 100_000, b'{"v": 1, "id": "x"}'])
def test_a_body_that_is_no_text_stays_as_it_is_byte_for_byte(database, queue, body):
    plant(database, "poison", body)
    for _ in range(2):
        lease = take_one(queue)
        assert isinstance(lease.mail, Undecodable)
        queue.bury(lease, Death(cause=Cause(kind=UNDECODABLE, reason=lease.mail.reason)))
        assert database.execute("SELECT body FROM limbo_dead_letters") == [(body,)]
        assert queue.dead_letters.redrive([queue.dead_letters.list(1)[0].id]) == 1
        assert database.execute("SELECT id, body FROM limbo_queue") == [("poison", body)]


def test_a_mail_under_another_s_name_is_poison(database, queue):
    queue.put([a_mail()])
    database.execute("UPDATE limbo_queue SET id = 'else'")
    lease = take_one(queue)
    assert lease.mail == Undecodable("else", "id: not the one that the queue knows it by")
    assert queue.ack([lease]) == []


def test_the_same_mail_put_again_is_kept_once(queue):
    mail = a_mail()
    assert queue.put([mail, mail]) == queue.put([mail, a_mail()])[:1] * 2 == [Kept(), Kept()]
    assert queue.depth().ready == 2
    lease = next(lease for lease in take(queue, 2) if lease.mail == mail)
    assert queue.put([mail]) == [Kept()]
    assert queue.receive(10, 0) == []
    assert queue.ack([lease]) == []


def test_a_page_does_not_need_the_letter_before_it(queue):
    queue.put([a_mail() for _ in range(6)])
    for lease in take(queue, 6):
        queue.bury(lease, OUTAGE)
        time.sleep(0.002)
    letters = queue.dead_letters.list(10)
    first = queue.dead_letters.list(3)
    queue.dead_letters.drop([letter.id for letter in first])
    assert queue.dead_letters.list(3, first[-1].id) == letters[3:]


def test_a_mail_put_off_wakes_a_waiting_receive_when_due(queue):
    queue.put([a_mail()])
    queue.release(take_one(queue), 0.3)
    started = time.monotonic()
    assert len(queue.receive(1, 10)) == 1
    assert 0.25 <= time.monotonic() - started < 1


def test_a_release_by_another_process_wakes_a_waiting_receive(queue, url):
    with contextlib.closing(open_database(url)) as other, ThreadPoolExecutor(1) as pool:
        queue.put([a_mail()])
        lease = take_one(queue)
        received = pool.submit(lambda: (queue.receive(1, 10), time.monotonic()))
        time.sleep(0.2)
        SqlQueue(other).release(lease, 0.1)
        released_at = time.monotonic()
        leases, received_at = received.result(timeout=15)
        assert len(leases) == 1
        assert 0.05 <= received_at - released_at < 1


def test_what_is_put_within_a_failed_transaction_is_not_kept(database, queue):
    def fail() -> None:
        with database.transaction() as transaction:
            plant(transaction, "x", b"{}")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert queue.depth().ready == 0
    with database.transaction() as transaction:
        plant(transaction, "x", b"{}")
    assert queue.depth().ready == 1


def _receive_and_acknowledge(url: str, start: threading.Event, got: "multiprocessing.Queue[str]"):
    with contextlib.closing(open_database(url)) as database:
        queue = SqlQueue(database)
        start.wait(30)
        while leases := queue.receive(7, 0.3):
            assert queue.ack(leases) == []
            for lease in leases:
                got.put(lease.mail.id)


def test_processes_that_start_at_once_make_one_schema_and_share_the_mails(url):
    spawn = multiprocessing.get_context("spawn")
    start, got = spawn.Event(), spawn.Queue()
    workers = [
        spawn.Process(target=_receive_and_acknowledge, args=(url, start, got)) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    mails = [a_mail() for _ in range(300)]
    with contextlib.closing(open_database(url)) as database:
        SqlQueue(database).put(mails)
        start.set()
        received = [got.get(timeout=30) for _ in mails]
        for worker in workers:
            worker.join(30)
        assert [worker.exitcode for worker in workers] == [0] * 4
        assert sorted(received) == sorted(mail.id for mail in mails)
        assert SqlQueue(database).depth().ready == 0


def test_many_that_open_a_new_database_at_once_all_can(url):
    start = threading.Barrier(8)

    def connect() -> list[Kept | NotKept]:
        start.wait()
        with contextlib.closing(open_database(url)) as opened:
            return SqlQueue(opened).put([a_mail()])

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(connect) for _ in range(8)]
        assert [future.result() for future in futures] == [[Kept()]] * 8


def test_refuses_the_tables_of_a_newer_limbo(database, url):
    database.execute(f"INSERT INTO limbo_schema (version) VALUES ({VERSION + 1})")
    with pytest.raises(SettingsError, match=rf"version {VERSION + 1}.* up to"):
        open_database(url)


# SQLite alone


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///{tmp}/missing/limbo.db", "No such file or directory"),
        ("sqlite:///{tmp}", "Is a directory"),
        ("sqlite:///{tmp}/file/limbo.db", "Not a directory"),
        ("sqlite:///{tmp}/file", "file is not a database"),
        ("sqlite:///", "the database's URL must be sqlite:///PATH"),
        ("sqlite:///:memory:", "must be sqlite:///PATH"),
    ],
)
def test_says_in_one_line_why_a_file_cannot_be_used(tmp_path, url, says):
    (tmp_path / "file").write_text("This is a letter, and no database. " * 200)
    with pytest.raises(SettingsError, match=says) as raised:
        SqliteDatabase.connect(url.format(tmp=tmp_path))
    assert "\n" not in str(raised.value)


def test_a_relative_url_names_a_file_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    SqliteDatabase.connect("sqlite:///limbo.db").close()
    assert (tmp_path / "limbo.db").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_refuses_mails_and_recovers(tmp_path):
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")) as database:
        queue = SqlQueue(database)
        pages = database.execute("SELECT page_count FROM pragma_page_count")[0][0]
        with database.transaction() as transaction:  # the limit holds for this connection
            transaction.execute(f"PRAGMA max_page_count = {pages + 40}")
        kept = 0
        while (answers := queue.put([a_mail(message="x" * 2000)]))[0] == Kept():
            kept += 1
        assert answers == [NotKept(reason="database or disk is full")]
        assert kept > 10
        assert len(leases := queue.receive(100, 0)) == kept
        assert queue.put([a_mail()]) == [Kept()]
        assert queue.ack(leases) == []
        assert queue.depth().ready == 1


def test_takes_no_mails_on_a_disk_too_full_to_get_them_out(tmp_path):
    path = tmp_path / "limbo.db"
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{path}")) as database:
        SqlQueue(database).put([a_mail()])
    with contextlib.closing(SqliteDatabase(path, reserve_bytes=2**60)) as database:
        queue = SqlQueue(database)
        assert queue.put([a_mail()]) == [NotKept(reason="the disk is almost full")]
        queue.bury(take_one(queue), OUTAGE)
        assert queue.dead_letters.redrive([queue.dead_letters.list(1)[0].id]) == 1
        assert queue.ack([take_one(queue)]) == []


def test_a_file_destroyed_later_is_an_unavailable_queue(tmp_path):
    path = tmp_path / "limbo.db"
    with contextlib.closing(SqliteDatabase.connect(f"sqlite:///{path}")) as database:
        queue = SqlQueue(database)
        queue.put([a_mail()])
    path.write_bytes(b"nonsense" * 1000)
    with contextlib.closing(SqliteDatabase(path)) as database:
        queue = SqlQueue(database)
        assert queue.put([a_mail()]) == [NotKept(reason="file is not a database")]
        with pytest.raises(QueueUnavailable, match="not a database"):
            queue.receive(1, 0)
        with pytest.raises(QueueUnavailable, match="not a database"):
            queue.depth()


def test_a_writer_that_holds_the_file_too_long_makes_it_unavailable(tmp_path):
    path = tmp_path / "limbo.db"
    SqliteDatabase.connect(f"sqlite:///{path}").close()
    with contextlib.closing(SqliteDatabase(path, busy_seconds=0.2)) as database:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert SqlQueue(database).put([a_mail()]) == [NotKept(reason="database is locked")]
            assert SqlQueue(database).depth().ready == 0
            other.execute("COMMIT")
        assert SqlQueue(database).put([a_mail()]) == [Kept()]


# PostgreSQL alone


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://limbo:s3cret@127.0.0.1:1/limbo", "refused"),
        ("postgresql://limbo:s3cret@/nothing?host={socket}", 'database "nothing" does not exist'),
        ("postgresql://guarded:s3cret@/postgres?host={socket}", "password authentication failed"),
        ("postgresql://limbo:s3cret@/x?host={socket}&sslmode=often", "sslmode"),
        ("postgresql://limbo:s3cret@[::1/limbo", "the database's URL is no valid postgresql://"),
        ("postgresql://limbo:s3cret@host:s3cret/limbo", "no valid|port"),
    ],
)
def test_says_in_one_line_why_a_server_cannot_be_used(postgres, url, says):
    with contextlib.suppress(psycopg.errors.DuplicateObject):
        postgres.execute("CREATE ROLE guarded LOGIN PASSWORD 'other'")
    socket = postgres.url("x").partition("host=")[2]
    with pytest.raises(SettingsError, match=says) as raised:
        PostgresDatabase.connect(url.format(socket=socket))
    assert "\n" not in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_crashed_server_is_unavailable_at_once_and_used_again_at_once():
    with running_postgres(fsync=True) as server:
        database = PostgresDatabase.connect(server.new_database())
        with contextlib.closing(database), ThreadPoolExecutor(1) as pool:
            queue = SqlQueue(database)
            assert queue.put([a_mail() for _ in range(3)]) == [Kept()] * 3
            leases = take(queue, 3)
            waiting = pool.submit(queue.receive, 1, 10)
            time.sleep(0.2)
            server.stop("immediate")
            started = time.monotonic()
            with pytest.raises(QueueUnavailable):
                waiting.result(timeout=5)
            [answer] = queue.put([a_mail()])
            assert isinstance(answer, NotKept)
            with pytest.raises(QueueUnavailable):
                queue.depth()
            assert time.monotonic() - started < 1
            server.start()
            assert queue.put([a_mail()]) == [Kept()]
            assert len(take(queue, 1)) == 1
            assert queue.ack(leases) == []


def test_connections_cut_while_idle_cost_no_call(postgres, postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url)) as database:
        queue = SqlQueue(database)
        name = postgres_url.rpartition("/")[2].partition("?")[0]
        postgres.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        time.sleep(0.1)
        assert queue.put([a_mail()]) == [Kept()]


def test_a_statement_that_is_held_up_is_given_up(postgres_url):
    url = f"{postgres_url}&options=-c%20statement_timeout%3D200"
    with contextlib.closing(PostgresDatabase.connect(url)) as database:
        queue = SqlQueue(database)
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE limbo_queue")
            [answer] = queue.put([a_mail()])
            assert answer == NotKept(reason="canceling statement due to statement timeout")
        assert queue.put([a_mail()]) == [Kept()]


def test_a_server_that_says_nothing_is_not_waited_for(postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url, answer_seconds=0.5)) as database:
        queue = SqlQueue(database)
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE limbo_queue")
            started = time.monotonic()
            in_doubt = NotKept(reason="no answer within 0.5 s", in_doubt=True)
            assert queue.put([a_mail()]) == [in_doubt]
            assert time.monotonic() - started < 2
        assert queue.put([a_mail()]) == [Kept()]


def test_leases_go_by_the_server_s_clock(postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url)) as database:
        queue = SqlQueue(database, lease_seconds=0.4)
        mail = a_mail()
        queue.put([mail])
        lease = take_one(queue)
        assert queue.receive(1, 0) == []
        again = queue.receive(1, 5)
        assert [(x.mail, x.possible_duplicate) for x in again] == [(mail, True)]
        assert queue.ack([lease]) == [lease]
        queue.bury(again[0], OUTAGE)
        assert queue.dead_letters.list(1)[0].buried_at == pytest.approx(time.time(), abs=5)


def test_leaves_alone_what_another_is_just_taking(postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url)) as database:
        queue = SqlQueue(database)
        queue.put([a_mail(), a_mail()])
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT 1 FROM limbo_queue ORDER BY due LIMIT 1 FOR UPDATE")
            assert len(queue.receive(10, 0)) == 1
            started, spent = time.monotonic(), time.process_time()
            assert queue.receive(10, 0.5) == []
            assert time.monotonic() - started < 1
            assert time.process_time() - spent < 0.4
        assert len(queue.receive(10, 0)) == 1


def test_a_waiting_receive_listens_no_longer_than_it_waits(postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url)) as database:
        queue = SqlQueue(database)
        assert queue.receive(1, 0.1) == []
        assert database.execute("SELECT pg_listening_channels()") == []
