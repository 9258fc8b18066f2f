import contextlib
import itertools
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings

from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec
from limbo.adapters.sql.database import Database, Executor
from limbo.adapters.sql.migrations import VERSION
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.delivery.verdict import UNDECODABLE, Cause, Death, Fault
from limbo.domain.errors import SettingsError
from limbo.ports.outbox import Submission
from limbo.ports.queue import Kept, NotKept, Undecodable
from tests.contracts.queue import QueueContract, Rig, take, take_one
from tests.support.body_keys import a_codec
from tests.support.clock import Clock
from tests.support.mails import a_mail
from tests.support.postgres import PostgresServer
from tests.support.sql import open_database

OUTAGE = Death(cause=Cause(kind=Fault.OUTAGE, sender="fake.a", reason="connection refused"))
# A receive that nothing wakes looks again after 5 s, of which some have passed by then.
UNWOKEN = 4.5

_PLANT = """
    INSERT INTO limbo_queue (id, body, submitted_at, due) VALUES (:id, :body, :now, :now)
"""


def a_rig(database: Database, clock: Clock, lease_seconds: float, codec: MailCodec = PLAIN) -> Rig:
    queue = SqlQueue(database, lease_seconds=lease_seconds, codec=codec)
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
    codec = PLAIN

    @pytest.fixture
    def new_rig(self, tmp_path: Path) -> Callable[[], Rig]:
        numbers = itertools.count()

        def new() -> Rig:
            clock = Clock()
            url = f"sqlite:///{tmp_path}/{next(numbers)}.db"
            database = SqliteDatabase.connect(url, now=clock.now)
            return a_rig(database, clock, self.lease_seconds, self.codec)

        return new


class TestSealedSqliteQueue(TestSqliteQueue):
    codec = a_codec("k1")
    # The queue is the one above: no sequence of calls is other for what is sealed.
    machine_settings = settings(TestSqliteQueue.machine_settings, max_examples=10)


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


@pytest.fixture(params=["sqlite", "postgresql"])
def stepped(request, tmp_path):
    """A queue with its ledger's outbox, and the clock of its database."""
    clock = Clock()
    if request.param == "sqlite":
        database = SqliteDatabase.connect(f"sqlite:///{tmp_path}/q.db", now=clock.now)
    else:
        url = request.getfixturevalue("postgres_url")
        database = PostgresDatabase.connect(url, now=clock.now)
    with contextlib.closing(database):
        yield SqlQueue(database), SqlOutbox(database), clock


def test_a_clock_that_is_set_back_holds_no_mail_that_is_ready(stepped):
    queue, outbox, clock = stepped
    queue.put([a_mail() for _ in range(10)])
    outbox.submit([Submission(mail=a_mail()) for _ in range(10)])
    queue.release(take_one(queue), 0)
    queue.bury(take_one(queue), OUTAGE)
    queue.dead_letters.redrive(queue.dead_letters.select())
    clock.elapse(-3600)
    assert queue.depth().ready == 20
    assert len(take(queue, 20)) == 20


def test_what_is_ready_comes_first_in_its_order_and_what_was_deferred_after_it(stepped):
    queue, _, clock = stepped
    at = clock.now()
    first, second, third, retried = (a_mail(at=at + n) for n in range(4))
    queue.put([retried])
    queue.release(take_one(queue), 1)
    clock.elapse(10)
    queue.put([second])
    queue.put([first, third])
    received = [take_one(queue).mail.id for _ in range(4)]
    assert received == [mail.id for mail in (first, second, third, retried)]


def test_a_deferred_mail_wakes_a_waiting_receive_when_due(queue):
    queue.put([a_mail()])
    lease = take_one(queue)
    started = time.monotonic()
    queue.release(lease, 0.3)
    assert len(queue.receive(1, 10)) == 1
    assert 0.25 <= time.monotonic() - started < UNWOKEN


def test_a_release_by_another_process_wakes_a_waiting_receive(queue, url):
    with contextlib.closing(open_database(url)) as other, ThreadPoolExecutor(1) as pool:
        queue.put([a_mail()])
        lease = take_one(queue)
        received = pool.submit(lambda: (queue.receive(1, 10), time.monotonic()))
        time.sleep(0.2)
        released_at = time.monotonic()
        SqlQueue(other).release(lease, 0.1)
        leases, received_at = received.result(timeout=15)
        assert len(leases) == 1
        assert 0.05 <= received_at - released_at < UNWOKEN


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
        start.wait(60)
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
        received = [got.get(timeout=60) for _ in mails]
        for worker in workers:
            worker.join(60)
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
