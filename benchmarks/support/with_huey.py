"""Huey on SQLite with fsync: puts jobs, and runs them as no-ops. Runs in benchmarks/.venv.

    python -m benchmarks.support.with_huey FOLDER JOBS

Prints how many jobs per second it handled. The jobs run in one loop, which is faster than huey's
own consumer.
"""

import logging
import sys
import time

from huey import SqliteHuey

from benchmarks.support.load import BODY


def main(folder: str, jobs: int) -> None:
    logging.disable()
    huey = SqliteHuey(filename=f"{folder}/huey.db", fsync=True, results=False)

    @huey.task()
    def job(_: bytes) -> None:
        pass

    started = time.perf_counter()
    for _ in range(jobs):
        job(BODY)
    while (task := huey.dequeue()) is not None:
        huey.execute(task)
    print(jobs / (time.perf_counter() - started))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
