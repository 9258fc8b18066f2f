"""Procrastinate on PostgreSQL: puts jobs, runs them as no-ops. Runs in benchmarks/.venv.

    python -m benchmarks.support.with_procrastinate URL JOBS

Prints how many jobs per second it handled.
"""

import asyncio
import logging
import sys
import time

import procrastinate

from benchmarks.support.load import BODY

_CONCURRENCY = 20


async def main(url: str, jobs: int) -> None:
    logging.disable()
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=_CONCURRENCY)
    app = procrastinate.App(connector=connector)

    @app.task(name="job")
    async def job(body: str) -> None:
        pass

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        started = time.perf_counter()
        left = iter(range(jobs))

        async def defer() -> None:
            for _ in left:
                await job.defer_async(body=BODY.decode())

        await asyncio.gather(*(defer() for _ in range(_CONCURRENCY)))
        await app.run_worker_async(
            wait=False, concurrency=_CONCURRENCY, install_signal_handlers=False
        )
        took = time.perf_counter() - started
        rows = await connector.execute_query_all_async(
            "SELECT count(*) AS count FROM procrastinate_jobs WHERE status = 'succeeded'"
        )
        if rows[0]["count"] != jobs:
            raise RuntimeError(rows)
        print(jobs / took)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
