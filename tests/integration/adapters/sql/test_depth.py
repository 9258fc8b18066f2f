"""A depth is right, whoever writes, and costs what a small queue costs."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from limbo.adapters.sql.database import Database, Dialect
from limbo.adapters.sql.depth import depth
from limbo.adapters.sql.migrations import migrate
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.verdict import Cause, Death
from limbo.ports.queue import Depth
from tests.contracts.queue import take
from tests.support.mails import a_mail
from tests.support.sql import open_database

BURY = Death(cause=Cause(kind="mail", sender="ses", reason="no"))
FILL = {
    Dialect.SQLITE: """
        INSERT INTO limbo_queue (id, body, submitted_at, due)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
        SELECT printf('%012d', i), 'x', 1, 1 FROM n
    """,
    Dialect.POSTGRESQL: """
        INSERT INTO limbo_queue (id, body, submitted_at, due)
        SELECT lpad(i::text, 12, '0'), 'x', 1, 1 FROM generate_series(1, 200000) AS i
    """,
}


def counts(found: Depth) -> tuple[int, int, int, bool]:
    return found.ready, found.in_flight, found.deferred, found.is_estimate


@pytest.mark.parametrize(
    ("deferred", "ready", "shown"),
    [
        (2, 3, (3, 1, 2, False)),
        (2, 30, (30, 1, 2, False)),
        (20, 3, (3, 1, 20, False)),
        (8, 30, (30, 1, 8, False)),
        (
            20,
            30,
            (41, 1, 9, True),
        ),  # of what is not due only ten were looked at, one of them leased
    ],
)
def test_counts_one_side_to_its_end_and_the_other_by_difference(
    queue, database, deferred, ready, shown
):
    queue.put([a_mail() for _ in range(deferred)])
    for lease in take(queue, deferred):
        queue.release(lease, 1000)
    queue.put([a_mail()])
    take(queue, 1)
    queue.put([a_mail() for _ in range(ready)])
    assert counts(depth(database, enough=10)) == shown


def test_a_full_queue_is_counted_by_a_few_of_its_rows(queue, database):
    database.execute(FILL[database.dialect])
    found = queue.depth()
    assert counts(found) == (200_000, 0, 0, False)
    assert found.oldest_age > 1e9
    for step in steps(database):
        assert "Seq Scan on limbo_queue" not in step
        if "SCAN limbo_queue" in step:  # in the order of ids, up to a limit
            assert "sqlite_autoindex_limbo_queue_1" in step


def test_counts_stay_right_while_many_write(url):
    def work(number: int) -> None:
        with contextlib.closing(open_database(url)) as opened:
            queue = SqlQueue(opened)
            for _ in range(20):
                queue.put([a_mail() for _ in range(3)])
                leases = queue.receive(2, 0)
                queue.ack(leases[:1])
                for lease in leases[1:]:
                    queue.bury(lease, BURY)
                if number == 0:
                    queue.dead_letters.redrive(queue.dead_letters.select()[:1])

    open_database(url).close()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(work, number) for number in range(4)]:
            done.result(60)
    with contextlib.closing(open_database(url)) as database:
        [[waiting]] = database.execute("SELECT count(*) FROM limbo_queue")
        [[dead]] = database.execute("SELECT count(*) FROM limbo_dead_letters")
        found = SqlQueue(database).depth()
        assert found.ready + found.in_flight + found.deferred == waiting > 0
        assert found.dead == {"mail": dead}


def test_an_older_process_that_writes_is_counted(database, queue):
    """These are its statements: it knows neither the counts nor the new column."""
    insert = "INSERT INTO limbo_queue (id, body, submitted_at, due) VALUES (:id, 'x', :now, :now)"
    for id_ in "abc":
        database.execute(insert, {"id": id_})
    database.execute("DELETE FROM limbo_queue WHERE id = 'a'")
    assert queue.depth().ready == 2


def test_many_counts_become_one(postgres_url):
    with contextlib.closing(open_database(postgres_url)) as database:
        queue = SqlQueue(database)
        for _ in range(30):
            queue.put([a_mail(), a_mail()])
        assert len(database.execute("SELECT 1 FROM limbo_counts")) > 10
        database.execute("SELECT limbo_sum_counts()")
        assert database.execute("SELECT kind, mails FROM limbo_counts") == [("", 60)]
        database.execute("TRUNCATE limbo_queue")
        assert queue.depth().ready == 0


def test_whoever_sums_waits_for_nobody(postgres_url):
    with contextlib.closing(open_database(postgres_url)) as database:
        queue = SqlQueue(database)
        queue.put([a_mail()])
        with database.transaction() as one:
            one.execute("SELECT limbo_sum_counts()")
            with database.transaction() as other:
                other.execute("SELECT limbo_sum_counts()")
            queue.put([a_mail()])
        assert queue.depth().ready == 2


def test_what_waited_before_there_were_counts_is_counted(tmp_path):
    with contextlib.closing(SqliteDatabase(tmp_path / "old.db")) as database:
        migrate(database, 5)
        database.execute(FILL[Dialect.SQLITE])
        migrate(database)
        assert SqlQueue(database).depth().ready == 200_000


def steps(database: Database) -> list[str]:
    """Return how the database goes about each statement of a depth."""
    asked = Explained(database)
    depth(asked, enough=10)
    return asked.steps


class Explained:
    """A database that keeps the plan of each statement."""

    def __init__(self, database: Database) -> None:
        self.dialect = database.dialect
        self.steps: list[str] = []
        self._database = database

    def execute(self, sql, values=None):
        how = "EXPLAIN QUERY PLAN" if self._database.dialect is Dialect.SQLITE else "EXPLAIN"
        self.steps += [row[-1] for row in self._database.execute(f"{how} {sql}", values)]
        return self._database.execute(sql, values)
