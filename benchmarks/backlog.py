"""The cost of a mail in a queue with a million mails, against one with a thousand.

python -m benchmarks.backlog
"""

import statistics
import time
from collections.abc import Iterator

from benchmarks.support.mails import connect, new_mails
from benchmarks.support.programs import databases
from benchmarks.support.report import Row, median_ratio, run
from limbo.adapters.encoding.codec import encode_mail
from limbo.adapters.sql.database import Database, Dialect
from limbo.adapters.sql.queue import SqlQueue

FEW, MANY = 1_000, 1_000_000
BATCH = 100
ROUNDS = 40
_NUMBERS = {
    Dialect.SQLITE: """
        WITH RECURSIVE numbers (n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}
        )
    """,
    Dialect.POSTGRESQL: "WITH numbers (n) AS (SELECT generate_series(1, {count}))",
}
# Ids in the order of time, like those of real mails. The mails are valid; they differ only in their
# ids.
_FILL = """
    INSERT INTO limbo_queue (id, body, submitted_at, due)
    SELECT {id}, {body}, :now, :now - 1000 + n * 0.0001 FROM numbers
"""
_ID = {
    Dialect.SQLITE: "'0190' || printf('%08x', n)",
    Dialect.POSTGRESQL: "'0190' || lpad(to_hex(n), 8, '0')",
}
_BODY = {
    Dialect.SQLITE: "CAST(replace('{body}', '{id}', {own}) AS BLOB)",
    Dialect.POSTGRESQL: "convert_to(replace('{body}', '{id}', {own}), 'UTF8')",
}


def rows() -> Iterator[Row]:
    """Yield a row for each database."""
    with databases(2) as urls:
        for name, pair in urls.items():
            few, many = (_filled(url, count) for url, count in zip(pair, (FEW, MANY), strict=True))
            for queue in (few, many):
                _cost(queue)
            rounds = [(_cost(many), _cost(few)) for _ in range(ROUNDS)]
            ours, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
            yield Row(
                what=f"cost of a mail with {MANY:,} waiting, {name}",
                measured=f"{ours:.1f} µs",
                floor=f"{FEW:,} waiting: {floor:.1f} µs",
                value=median_ratio(rounds),
                reach=1.3,
                at_least=False,
            )


def _cost(queue: SqlQueue) -> float:
    """Put, receive and acknowledge a batch of mails; return the time for one mail, in µs."""
    mails = new_mails(BATCH)
    started = time.perf_counter()
    queue.put(mails)
    leases = queue.receive(BATCH, 0)
    lost = queue.ack(leases)
    took = time.perf_counter() - started
    if len(leases) != BATCH or lost:
        raise RuntimeError("the queue is not what it was")
    return took / BATCH * 1e6


def _filled(url: str, count: int) -> SqlQueue:
    database = connect(url)
    _fill(database, count)
    return SqlQueue(database)


def _fill(database: Database, count: int) -> None:
    [mail] = new_mails(1)
    dialect = database.dialect
    own = _ID[dialect]
    body = _BODY[dialect].format(body=encode_mail(mail).decode(), id=mail.id, own=own)
    while count:
        step = min(count, 100_000)
        sql = _NUMBERS[dialect].format(count=step) + _FILL.format(
            id=f"'{count:07d}' || {own}", body=body.replace(own, f"'{count:07d}' || {own}")
        )
        with database.transaction() as transaction:
            transaction.execute(sql)
        count -= step
    database.execute("ANALYZE")


if __name__ == "__main__":
    run(rows)
