"""The CPU time of an idle worker and an idle api.

python -m benchmarks.idling
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.support.programs import databases, limbo
from benchmarks.support.report import Row, run

CALM_SECONDS = 3.0
SECONDS = 10.0


def rows() -> Iterator[Row]:
    """Yield a row for each command on each database, all measured at the same time."""
    with databases() as urls, ExitStack() as stack:
        programs = {
            (command, name): stack.enter_context(limbo(command, url))
            for name, [url] in urls.items()
            for command in ("api", "worker")
        }
        time.sleep(CALM_SECONDS)
        before = {key: program.cpu_seconds() for key, program in programs.items()}
        time.sleep(SECONDS)
        for (command, name), program in programs.items():
            percent = (program.cpu_seconds() - before[command, name]) / SECONDS * 100
            yield Row(
                what=f"CPU of an idle {command}, {name}",
                measured=f"{percent:.1f} %",
                floor="one core",
                value=percent,
                reach=1,
                at_least=False,
                unit=" %",
            )


if __name__ == "__main__":
    run(rows)
