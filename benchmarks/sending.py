"""How many mails a worker sends per second, against what its provider's delay allows.

python -m benchmarks.sending
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.support.mails import connect, fill
from benchmarks.support.programs import databases, limbo, module
from benchmarks.support.report import ROOT, Row, median_ratio, run

SKIPPED_SECONDS = 1.0
SECONDS = 4.0
ROUNDS = 3
THREADS_MAILS = 3000


def rows() -> Iterator[Row]:
    """Yield a row for each database, and one against bare threads with 256 mails in flight."""
    with databases() as urls:
        for name, [url] in urls.items():
            rate = _worker(url, in_flight=64, delay_ms=100)
            yield Row(
                what=f"worker, 64 in flight, provider of 100 ms, {name}",
                measured=f"{rate:,.0f}/s",
                floor="64 / 0.1 s = 640/s",
                value=rate / 640,
                reach=0.90,
            )
        rounds = [
            (_worker(urls["SQLite"][0], in_flight=256, delay_ms=50), _threads(256, delay_ms=50))
            for _ in range(ROUNDS)
        ]
        ours, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
        yield Row(
            what="worker, 256 in flight, provider of 50 ms, SQLite",
            measured=f"{ours:,.0f}/s",
            floor=f"threads with requests: {floor:,.0f}/s",
            value=median_ratio(rounds),
            reach=0.85,
        )


def _worker(url: str, *, in_flight: int, delay_ms: int) -> float:
    """Return how many mails arrive per second, after the first second."""
    database = connect(url)
    most = in_flight / delay_ms * 1000
    fill(database, int(min(most, 2500) * (SKIPPED_SECONDS + SECONDS) * 1.1))
    with module("support.provider", str(delay_ms)) as provider:
        environ = {
            "LIMBO_CONCURRENCY": str(in_flight),
            "LIMBO_SENDERS": "mailgun",
            "LIMBO_MAILGUN_KEY": "key",
            "LIMBO_MAILGUN_DOMAIN": "mg.example",
            "LIMBO_MAILGUN_URL": provider.url,
        }
        arrivals: list[float] = []
        with limbo("worker", url, environ):
            while not arrivals:
                time.sleep(0.02)
                arrivals = json.loads(provider.get("/arrivals"))
            time.sleep(SKIPPED_SECONDS + SECONDS)
            arrivals += json.loads(provider.get("/arrivals"))
    started = arrivals[0] + SKIPPED_SECONDS
    database.execute("DELETE FROM limbo_queue")
    return sum(started <= at < started + SECONDS for at in arrivals) / SECONDS


def _threads(threads: int, *, delay_ms: int) -> float:
    with module("support.provider", str(delay_ms)) as provider:
        command = [sys.executable, "-m", "benchmarks.support.threads", f"{provider.url}/messages"]
        numbers = [str(threads), str(THREADS_MAILS)]
        environ = {**os.environ, "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [*command, *numbers], cwd=ROOT, env=environ, stdout=subprocess.PIPE, check=True
        )
        return float(done.stdout)


if __name__ == "__main__":
    run(rows)
