"""The memory of api and worker after a hundred thousand mails, against after a thousand.

python -m benchmarks.memory
"""

import tempfile
import time
from collections.abc import Iterator

from benchmarks.support.programs import Program, limbo, load
from benchmarks.support.report import Row, run

FEW, MANY = 1_000, 100_000
DRAIN_SECONDS = 240.0
_SENT = 'limbo_mails_settled_total{outcome="sent"}'


def rows() -> Iterator[Row]:
    """Yield a row for the api and one for the worker, on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/limbo.db"
        with limbo("api", url) as api, limbo("worker", url) as worker:
            after_few = _after(FEW, FEW, api, worker)
            after_many = _after(MANY - FEW, MANY, api, worker)
    for command, few, many in zip(("api", "worker"), after_few, after_many, strict=True):
        yield Row(
            what=f"resident memory of the {command} after {MANY:,} mails",
            measured=f"{many / 2**20:.1f} MiB",
            floor=f"after {FEW:,}: {few / 2**20:.1f} MiB",
            value=many / few,
            reach=1.1,
            at_least=False,
        )


def _after(count: int, total: int, api: Program, worker: Program) -> tuple[int, int]:
    """Post ``count`` mails; return the bytes of api and worker once all are sent."""
    load(api, seconds=DRAIN_SECONDS, count=count)
    until = time.monotonic() + DRAIN_SECONDS
    while _sent(worker) < total:
        if time.monotonic() > until:
            raise RuntimeError("the worker does not send the mails in time")
        time.sleep(0.2)
    return api.resident_bytes(), worker.resident_bytes()


def _sent(worker: Program) -> float:
    for line in worker.get("/metrics").decode().splitlines():
        name, _, value = line.rpartition(" ")
        if name == _SENT:
            return float(value)
    return 0.0


if __name__ == "__main__":
    run(rows)
