"""The queue alone, from put to ack, against other queues: huey and procrastinate.

    python -m benchmarks.queues

Installs these two into benchmarks/.venv if they are not there.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.support.mails import batches, connect, new_mails
from benchmarks.support.programs import databases
from benchmarks.support.report import ROOT, Row, median_ratio, run
from limbo.adapters.sql.queue import SqlQueue

GATHERED = 100
MAILS = 6_000
ROUNDS = 3
_FOLDER = Path(__file__).parent
_PYTHON = _FOLDER / ".venv" / "bin" / "python"
_PINS = _FOLDER / "requirements.txt"


def rows() -> Iterator[Row]:
    """Yield a row for each database."""
    _install()
    with databases(1 + ROUNDS) as urls, tempfile.TemporaryDirectory() as folder:
        huey = [
            (_limbo(urls["SQLite"][0]), _other("with_huey", folder, jobs=2_000))
            for _ in range(ROUNDS)
        ]
        yield _row("SQLite", "huey, fsync", huey, reach=4)
        postgres, *others = urls["PostgreSQL"]
        procrastinate = [
            (_limbo(postgres), _other("with_procrastinate", other, jobs=1_000)) for other in others
        ]
        yield _row("PostgreSQL", "procrastinate", procrastinate, reach=10)


def _row(name: str, other: str, rounds: list[tuple[float, float]], *, reach: float) -> Row:
    ours, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
    return Row(
        what=f"queue alone, put to acked, gathered, {name}",
        measured=f"{ours:,.0f}/s",
        floor=f"{other}: {floor:,.0f}/s",
        value=median_ratio(rounds),
        reach=reach,
    )


def _limbo(url: str) -> float:
    queue = SqlQueue(connect(url))
    mails = new_mails(MAILS)
    started = time.perf_counter()
    for batch in batches(mails, GATHERED):
        queue.put(batch)
    left = len(mails)
    while leases := queue.receive(GATHERED, 0):
        queue.ack(leases)
        left -= len(leases)
    took = time.perf_counter() - started
    if left:
        raise RuntimeError("the queue has other mails than were put")
    return len(mails) / took


def _other(name: str, where: str, *, jobs: int) -> float:
    command = [str(_PYTHON), "-m", f"benchmarks.support.{name}", where, str(jobs)]
    return float(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)


def _install() -> None:
    installed = _FOLDER / ".venv" / "requirements.txt"
    if installed.exists() and installed.read_text() == _PINS.read_text():
        return
    pip: list[str] = [str(_PYTHON), "-m", "pip", "install", "--quiet"]
    subprocess.run([sys.executable, "-m", "venv", str(_FOLDER / ".venv")], check=True)
    subprocess.run([*pip, "--disable-pip-version-check", "-r", str(_PINS)], check=True)
    installed.write_text(_PINS.read_text())


if __name__ == "__main__":
    run(rows)
