"""The cost of a submission, a status and a page, with 1,000 and with 1,000,000 mails in the ledger.

    python -m benchmarks.ledger_size

Prints a table for SQLite and one for PostgreSQL; `make bench` leaves it out. Figures are medians in
µs. The two ledgers take turns, so that other load on the machine affects both.
"""

import contextlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping

from limbo.adapters.encoding.codec import encode_attempts
from limbo.adapters.sql.database import Database, Dialect
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.delivery.lifecycle import End, Start, Status
from limbo.domain.delivery.verdict import Accepted, Attempt
from limbo.domain.mail.address import Address
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger_reader import Query
from limbo.ports.outbox import Idempotency, Submission
from limbo.ports.queue import Kept
from tests.support.postgres import running_postgres

SIZES = (1_000, 1_000_000)
DAYS = 90
EACH = 5  # mails to every address
SECONDS = 1.2  # for an operation on both ledgers
MESSAGE = "How are you? " * 40

# The oldest first, as in a real ledger; a quarter is dead, so that each page is full.
_SERIES = {
    Dialect.SQLITE: """
        WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < :size)
        SELECT n, printf('%012x', CAST((:start + n * :step) * 1000 AS integer)) AS ms,
            printf('%012x', n) AS tail
        FROM series
    """,
    Dialect.POSTGRESQL: """
        SELECT n, lpad(to_hex(CAST((:start + n * :step) * 1000 AS bigint)), 12, '0') AS ms,
            lpad(to_hex(n), 12, '0') AS tail
        FROM generate_series(1, CAST(:size AS bigint)) AS series (n)
    """,
}
_MAILS = """
    INSERT INTO limbo_mails (
        id, client, status, submitted_at, updated_at, last_start, sender, recipients, subject
    )
    SELECT substr(ms, 1, 8) || '-' || substr(ms, 9) || '-7000-8000-' || tail,
        CASE n % 4 WHEN 0 THEN 'shop' WHEN 1 THEN 'blog' WHEN 2 THEN 'news'
            ELSE CASE WHEN n < :size / 2 THEN 'gone' ELSE 'desk' END END,
        CASE WHEN n / 4 % 4 = 0 THEN 'dead' ELSE 'sent' END,
        :start + n * :step, :start + n * :step, :start + n * :step,
        'shop@example.org', '["user' || (n * 7919 % :addresses) || '@example.com"]',
        'Your order is on its way'
    FROM ({series}) AS series
"""
_REST = (
    """
    INSERT INTO limbo_contents (id, body)
    SELECT id, CAST('{"v":1,"id":"' || id || '","submitted_at":1,"from":"shop@example.org",'
        || '"to":' || recipients || ',"subject":"Your order","message":"' || :message || '"}'
        AS BYTES)
    FROM limbo_mails
    """,
    """
    INSERT INTO limbo_recipients (address, client, id)
    SELECT substr(recipients, 3, length(recipients) - 4), client, id
    FROM limbo_mails ORDER BY 1, 2, 3
    """,
    """
    INSERT INTO limbo_attempts (mail_id, started_at, sender, outcome)
    SELECT id, submitted_at, 'ses', :outcome FROM limbo_mails
    """,
)


class Filled:
    """A ledger of ``size`` mails, which were submitted within 90 days."""

    def __init__(self, database: Database, size: int) -> None:
        self.database = database
        self.size = size
        self.rng = random.Random(size)
        step = DAYS * 86_400 / size
        values: dict[str, object] = {
            "size": size,
            "start": time.time() - 60 - DAYS * 86_400,
            "step": step,
            "addresses": size // EACH,
        }
        mails = _MAILS.replace("{series}", _SERIES[database.dialect])
        if database.dialect is Dialect.POSTGRESQL:
            mails = mails.replace("%", "%%")  # to the driver, a single one is a placeholder
        database.execute(mails, values)
        attempt = Attempt(sender="ses", started_at=1.0, duration=0.1, verdict=Accepted("x"))
        bytes_ = "blob" if database.dialect is Dialect.SQLITE else "bytea"
        for sql in _REST:
            values = {"message": MESSAGE, "outcome": encode_attempts([attempt])}
            database.execute(sql.replace("BYTES", bytes_), values)
        if database.dialect is Dialect.POSTGRESQL:
            database.execute("ANALYZE")
        self.ids = [id_ for (id_,) in database.execute("SELECT id FROM limbo_mails ORDER BY id")]

    def any_id(self) -> str:
        return self.rng.choice(self.ids)

    def any_address(self) -> str:
        return f"user{self.rng.randrange(self.size // EACH)}@example.com"

    def new_mail(self) -> Mail:
        at = time.time()
        return Mail(
            id=mail_id(at),
            submitted_at=at,
            from_=Address("shop@example.org"),
            to=(Address(self.any_address()),),
            cc=(),
            bcc=(),
            subject="Your order is on its way",
            message=MESSAGE,
        )


def operations(filled: Filled) -> Mapping[str, Callable[[], object]]:
    ledger = SqlLedger(filled.database)
    outbox = SqlOutbox(filled.database)
    page = ledger.ledger_reader.page

    def submit(count: int, *, keyed: bool = False) -> None:
        submissions = [
            Submission(
                mail=mail,
                client="shop",
                idempotency=Idempotency(mail.id, "0" * 64) if keyed else None,
            )
            for mail in (filled.new_mail() for _ in range(count))
        ]
        if outbox.submit(submissions) != [Kept()] * count:
            raise RuntimeError("not kept")

    def touch(count: int) -> None:
        mails, at = filled.rng.sample(filled.ids[-1000:], count), time.time()
        ledger.write([Start(mail_id=id_, sender="smtp", started_at=at) for id_ in mails])
        attempt = Attempt(sender="smtp", started_at=at, duration=0.1, verdict=Accepted())
        ledger.write([End(mail_id=i, status=Status.SENT, at=at, attempts=[attempt]) for i in mails])

    return {
        "100 submissions": lambda: submit(100),
        "100 submissions with keys": lambda: submit(100, keyed=True),
        "1 submission": lambda: submit(1),
        "status of any mail": lambda: ledger.ledger_reader.find(filled.any_id(), None),
        "page": lambda: page(Query(client=None)),
        "page before any mail": lambda: page(Query(client=None, after=filled.any_id())),
        "page of a client": lambda: page(Query(client="shop")),
        "page of a client long gone": lambda: page(Query(client="gone")),
        "page of dead mails": lambda: page(Query(client=None, status=Status.DEAD)),
        "page of a client's dead mails": lambda: page(Query(client="shop", status=Status.DEAD)),
        "page of cancelled mails: none": lambda: page(Query(client=None, status=Status.CANCELLED)),
        "page to an address": lambda: page(Query(client=None, to=filled.any_address())),
        "page to an address, since": lambda: page(
            Query(client="shop", to=filled.any_address(), since=time.time() - 40 * 86_400)
        ),
        "page of an hour": lambda: page(Query(client=None, since=time.time() - 3600)),
        "100 touches of late mails": lambda: touch(100),
        "purge of nothing": lambda: ledger.purge(bodies_before=0, records_before=0, limit=200),
    }


def measure(few: Callable[[], object], many: Callable[[], object]) -> tuple[float, float]:
    """Return the medians in µs, of the runs within SECONDS, and of at least 10 each."""
    until = time.perf_counter() + SECONDS
    times: tuple[list[float], list[float]] = ([], [])
    while len(times[0]) < 13 or time.perf_counter() < until:
        for operation, its_times in zip((few, many), times, strict=True):
            started = time.perf_counter()
            operation()
            its_times.append((time.perf_counter() - started) * 1e6)
    return statistics.median(times[0][3:]), statistics.median(times[1][3:])


@contextlib.contextmanager
def on_sqlite() -> Iterator[list[Database]]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                contextlib.closing(SqliteDatabase.connect(f"sqlite:///{folder}/{size}.db"))
            )
            for size in SIZES
        ]


@contextlib.contextmanager
def on_postgres() -> Iterator[list[Database]]:
    with running_postgres(fsync=True) as server, contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                contextlib.closing(
                    PostgresDatabase.connect(
                        f"{server.new_database()}&options=-c%20statement_timeout%3D0",
                        answer_seconds=300,
                    )
                )
            )
            for _ in SIZES
        ]


def report(name: str, databases: list[Database]) -> None:
    started = time.perf_counter()
    ledgers = [Filled(database, size) for database, size in zip(databases, SIZES, strict=True)]
    few, many = map(operations, ledgers)
    print(f"\n{name}, µs (filled in {time.perf_counter() - started:.0f} s)")
    print(f"{'mails in the ledger':<32}{SIZES[0]:>12,}{SIZES[1]:>12,}   times")
    for label, operation in few.items():
        one, other = measure(operation, many[label])
        print(f"{label:<32}{one:12,.0f}{other:12,.0f}{other / one:8.2f}", flush=True)


def main() -> None:
    with on_sqlite() as databases:
        report("SQLite", databases)
    with on_postgres() as databases:
        report("PostgreSQL", databases)


if __name__ == "__main__":
    main()
