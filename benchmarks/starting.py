"""How long limbo takes to start.

python -m benchmarks.starting
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from benchmarks.support.programs import limbo
from benchmarks.support.report import ROOT, Row, median_ratio, run

ROUNDS = 7


def rows() -> Iterator[Row]:
    """Yield a row for the api and one for the command line's help."""
    rounds = [(_api(), _command("-c", "import starlette, uvicorn")) for _ in range(ROUNDS)]
    ours, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
    yield Row(
        what="start of `limbo api` until /health answers",
        measured=f"{ours:.2f} s",
        floor=f"import starlette, uvicorn: {floor:.2f} s",
        value=median_ratio(rounds),
        reach=4,
        at_least=False,
    )
    help_ = [
        _command("-c", "from limbo.entrypoints.cli.main import main; main()", "--help")
        for _ in range(ROUNDS)
    ]
    yield Row(
        what="limbo --help",
        measured=f"{statistics.median(help_):.2f} s",
        floor="-",
        value=statistics.median(help_),
        reach=0.3,
        at_least=False,
        unit=" s",
    )


def _api() -> float:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with limbo("api", f"sqlite:///{folder}/limbo.db", ready="") as api:
            return api.wait("/health") - started


def _command(*arguments: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    run(rows)
