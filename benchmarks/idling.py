"""What an idle worker and an idle api spend.

python -m benchmarks.idling
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.support.programs import databases, limbo
from benchmarks.support.report import Row, run

SETTLE_SECONDS = 3.0
SECONDS = 10.0


def rows() -> Iterator[Row]:
    """Yield a row for each role on each database, all measured at once."""
    with databases() as urls, ExitStack() as stack:
        programs = {
            (role, name): stack.enter_context(limbo(role, url))
            for name, [url] in urls.items()
            for role in ("api", "worker")
        }
        time.sleep(SETTLE_SECONDS)
        before = {key: program.cpu_seconds() for key, program in programs.items()}
        time.sleep(SECONDS)
        for (role, name), program in programs.items():
            percent = (program.cpu_seconds() - before[role, name]) / SECONDS * 100
            yield Row(
                what=f"CPU of an idle {role}, {name}",
                measured=f"{percent:.1f} %",
                floor="one core",
                value=percent,
                reach=1,
                at_least=False,
                unit=" %",
            )


if __name__ == "__main__":
    run(rows)
