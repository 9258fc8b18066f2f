import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.queue import SqlQueue
from limbo.domain.delivery.verdict import Cause, Death, Fault
from limbo.domain.errors import QueueUnavailable, SettingsError, StoreUnavailable
from limbo.ports.queue import Kept, NotKept
from tests.contracts.queue import take, take_one
from tests.support.mails import a_mail
from tests.support.postgres import running_postgres
from tests.support.working import until

NOBODY_THERE = "postgresql://limbo:s3cret@127.0.0.1:1/limbo"
OUTAGE = Death(cause=Cause(kind=Fault.OUTAGE, sender="fake.a", reason="connection refused"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (NOBODY_THERE, "refused"),
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
    error = StoreUnavailable if url == NOBODY_THERE else SettingsError
    with pytest.raises(error, match=says) as raised:
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
                waiting.result(timeout=9)  # it would wait 10
            [answer] = queue.put([a_mail()])
            assert isinstance(answer, NotKept)
            with pytest.raises(QueueUnavailable):
                queue.depth()
            assert time.monotonic() - started < 9
            server.start()
            assert queue.put([a_mail()]) == [Kept()]
            assert len(take(queue, 1)) == 1
            assert queue.ack(leases) == []


def test_connections_cut_while_idle_cost_no_call(postgres, postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url)) as database:
        queue = SqlQueue(database)
        name = postgres_url.rpartition("/")[2].partition("?")[0]
        postgres.execute(
            "SELECT pg_terminate_backend(pid, 10000)"
            f" FROM pg_stat_activity WHERE datname = '{name}'"
        )
        assert queue.put([a_mail()]) == [Kept()]


def test_a_statement_that_is_held_up_is_given_up(postgres_url):
    PostgresDatabase.connect(postgres_url).close()  # its migrations take as long as they take
    url = f"{postgres_url}&options=-c%20statement_timeout%3D3000"
    with contextlib.closing(PostgresDatabase.connect(url, answer_seconds=20.0)) as database:
        queue = SqlQueue(database)
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE limbo_queue")
            [answer] = queue.put([a_mail()])
            assert answer == NotKept(reason="canceling statement due to statement timeout")
        assert queue.put([a_mail()]) == [Kept()]


def test_a_server_that_says_nothing_is_not_waited_for(postgres_url):
    url = f"{postgres_url}&options=-c%20statement_timeout%3D0"  # or it may be the first to give up
    with contextlib.closing(PostgresDatabase.connect(url, answer_seconds=3.0)) as database:
        queue = SqlQueue(database)
        with psycopg.connect(postgres_url) as other:
            other.execute("LOCK TABLE limbo_queue")
            started = time.monotonic()
            in_doubt = NotKept(reason="no answer within 3 s", in_doubt=True)
            assert queue.put([a_mail()]) == [in_doubt]
            assert time.monotonic() - started < 8
        assert queue.put([a_mail()]) == [Kept()]


def test_to_wait_for_mails_may_take_longer_than_an_answer(postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url, answer_seconds=3.0)) as database:
        assert SqlQueue(database).receive(1, 3.6) == []


def test_leases_go_by_the_server_s_clock(postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url)) as database:
        queue = SqlQueue(database, lease_seconds=5.0)
        mail = a_mail()
        queue.put([mail])
        lease = take_one(queue)
        assert queue.receive(1, 0) == []
        again = []
        until(lambda: again or again.extend(queue.receive(1, 0)))
        assert [(x.mail, x.possible_duplicate) for x in again] == [(mail, True)]
        assert queue.ack([lease]) == [lease]
        queue.bury(again[0], OUTAGE)
        assert queue.dead_letters.list(1)[0].buried_at == pytest.approx(time.time(), abs=60)


class Watched(PostgresDatabase):
    """Counts the statements, and notes how long it is asked to sleep."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.statements = 0
        self.sleeps = []

    def execute(self, *args, **options):
        self.statements += 1
        return super().execute(*args, **options)

    @contextlib.contextmanager
    def listening(self):
        with super().listening() as sleep:
            yield lambda seconds: self.sleeps.append(seconds) or sleep(seconds)


def test_leaves_alone_what_another_is_just_taking(postgres_url):
    """Meanwhile it asks again and again, and does not spin: each time it sleeps a little first."""
    with contextlib.closing(Watched.connect(postgres_url)) as database:
        queue = SqlQueue(database)
        queue.put([a_mail(), a_mail()])
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT 1 FROM limbo_queue ORDER BY due LIMIT 1 FOR UPDATE")
            assert len(queue.receive(10, 0)) == 1
            started, database.statements = time.monotonic(), 0
            assert queue.receive(10, 0.5) == []
            assert time.monotonic() - started < 8
            assert database.statements <= 3 * (len(database.sleeps) + 1)
            assert all(
                seconds >= 0.001 for seconds in database.sleeps[:-1]
            )  # the last: what is left
        assert len(queue.receive(10, 0)) == 1


def test_a_waiting_receive_listens_no_longer_than_it_waits(postgres_url):
    with contextlib.closing(PostgresDatabase.connect(postgres_url)) as database:
        queue = SqlQueue(database)
        assert queue.receive(1, 0.1) == []
        assert database.execute("SELECT pg_listening_channels()") == []
