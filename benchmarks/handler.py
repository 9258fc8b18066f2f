"""The CPU time of accepting a mail in-process, without sockets, against the bare application's.

python -m benchmarks.handler
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from unittest import mock

import uvloop
from starlette.types import ASGIApp

from benchmarks.support.bare import bare_app
from benchmarks.support.load import BODY
from benchmarks.support.report import Row, median_ratio, run
from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec
from limbo.adapters.encryption.aes_gcm import AesGcmSeal
from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.outbox.queue_only import QueueOutbox
from limbo.adapters.sql.database import Database
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.access.api_key import KeyScope
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.api.hosts import HostPolicy
from limbo.entrypoints.http.app import create_app
from limbo.entrypoints.http.resources.submission.gather import GatherLimits
from limbo.entrypoints.process.supervisor import collect_less
from limbo.entrypoints.telemetry.audit import Audit
from limbo.entrypoints.telemetry.logs import configure_logging
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.outbox import Outbox
from limbo.ports.queue import Readiness

ROUNDS = 15
AT_ONCE = 64
REQUESTS = 50
HEADERS = [
    (b"host", b"127.0.0.1"),
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(BODY)),
]


async def _post(app: ASGIApp) -> None:
    """Make one request, as uvicorn does."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": "/v1/mail",
        "raw_path": b"/v1/mail",
        "query_string": b"",
        "headers": HEADERS,
        "state": {},
    }
    status = 0

    async def receive():
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message):
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    if status != 200:
        raise RuntimeError(status)


async def _cost(app: ASGIApp) -> float:
    """Return the CPU time of one request, in µs, with AT_ONCE requests under way at once."""

    async def client() -> None:
        for _ in range(REQUESTS):
            # uvicorn makes a task for each request too.
            await asyncio.create_task(_post(app))

    started = time.process_time()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return (time.process_time() - started) / (AT_ONCE * REQUESTS) * 1e6


async def _round() -> tuple[float, float]:
    queue = MemoryQueue()
    return await _accepting(QueueOutbox(queue), queue), await _cost(bare_app())


async def _sealed_round(database: Database) -> tuple[float, float]:
    """Return the cost with mails that are encrypted at rest, and without, in SQLite."""
    queue, seal = SqlQueue(database), AesGcmSeal({"k1": bytes(32)})
    sealed, plain = (SqlOutbox(database, codec=codec) for codec in (MailCodec(seal), PLAIN))
    gather = GatherLimits(enough=32)
    return await _accepting(sealed, queue, gather), await _accepting(plain, queue, gather)


async def _accepting(outbox: Outbox, queue: Readiness, gather: GatherLimits | None = None) -> float:
    app = create_app(
        outbox=outbox,
        readiness=queue,
        metrics=Metrics(),
        access=Access(None, anonymous_scopes=[KeyScope.SEND, KeyScope.READ]),
        hosts=HostPolicy(listens_on="127.0.0.1"),
        audit=Audit(None, time.time),
        gather=gather,
    )
    async with app.router.lifespan_context(app):
        return await _cost(app)


def rows() -> Iterator[Row]:
    """Yield the two rows."""
    # The log goes to a file, so that only the table is printed.
    with tempfile.TemporaryFile("w") as file, mock.patch("sys.stdout", file):
        configure_logging(pretty=False)
        collect_less()  # as limbo's processes do; the floor profits from it too
        measured = [uvloop.run(_round()) for _ in range(ROUNDS)][1:]
        with tempfile.TemporaryDirectory() as folder:
            database = SqliteDatabase.connect(f"sqlite:///{folder}/limbo.db")
            sealed = [uvloop.run(_sealed_round(database)) for _ in range(ROUNDS)][1:]
            database.close()
    ours, floor = (statistics.median(column) for column in zip(*measured, strict=True))
    yield Row(
        what="CPU of the accept handler in-process, memory queue",
        measured=f"{ours:.1f} µs",
        floor=f"bare Starlette: {floor:.1f} µs",
        value=median_ratio(measured),
        reach=2.0,
        at_least=False,
    )
    ours, floor = (statistics.median(column) for column in zip(*sealed, strict=True))
    yield Row(
        what="the same with SQLite, mails encrypted at rest",
        measured=f"{ours:.1f} µs",
        floor=f"not encrypted: {floor:.1f} µs",
        value=median_ratio(sealed),
        reach=1.1,
        at_least=False,
    )


if __name__ == "__main__":
    run(rows)
