"""Mails accepted per second on an SQS with round trips of 10 ms, and the calls for each mail.

python -m benchmarks.on_sqs
"""

import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import orjson

from benchmarks.support.programs import Program, free_port, limbo, load, module, running
from benchmarks.support.report import Row, median_ratio, run

ROUNDS = 4
ROUND_TRIP_MS = "10"
SECONDS = 4.0
DRAIN_SECONDS = 60.0


def rows() -> Iterator[Row]:
    """Yield a row for the rate and one for the calls."""
    with module("support.provider", "100") as provider:
        with module("support.sqs", ROUND_TRIP_MS) as sqs:
            environ = _settings(sqs, provider)
            with limbo("api", environ["LIMBO_QUEUE"], environ) as api:
                yield _rate(api, environ)
        with module("support.sqs", ROUND_TRIP_MS) as sqs:
            environ = _settings(sqs, provider)
            queue = environ["LIMBO_QUEUE"]
            with limbo("api", queue, environ) as api, limbo("worker", queue, environ) as worker:
                yield _calls(sqs, api, worker, provider)


def _settings(sqs: Program, provider: Program) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_SQS": sqs.url,
        "LIMBO_QUEUE": f"{sqs.url}/000000000000/mails",
        "LIMBO_DEAD_LETTER_QUEUE": f"{sqs.url}/000000000000/dead",
        "LIMBO_REGION": "eu-west-1",
        "LIMBO_SENDERS": "mailgun",
        "LIMBO_MAILGUN_KEY": "key",
        "LIMBO_MAILGUN_DOMAIN": "mg.example",
        "LIMBO_MAILGUN_URL": provider.url,
    }


def _rate(api: Program, environ: Mapping[str, str]) -> Row:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.support.threaded_sqs", str(port)]
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with running(command, port, {**environ, **credentials}, ready="/") as threads:
        for program in (api, threads):
            load(program, seconds=1)
        rounds = [
            (load(api, seconds=2)["rate"], load(threads, seconds=2)["rate"]) for _ in range(ROUNDS)
        ]
    ours, floor = (statistics.median(column) for column in zip(*rounds, strict=True))
    return Row(
        what="mails accepted per second on SQS, 10 ms round trips",
        measured=f"{ours:,.0f}/s",
        floor=f"a call a mail, 40 threads: {floor:,.0f}/s",
        value=median_ratio(rounds),
        reach=4,
    )


def _calls(sqs: Program, api: Program, worker: Program, provider: Program) -> Row:
    """Count the calls for a load, from its first mail until the last one is deleted."""
    sqs.get("/calls")
    mails = load(api, seconds=SECONDS)["count"]
    calls: Counter[str] = Counter()
    until = time.monotonic() + DRAIN_SECONDS
    arrived = 0
    while arrived < mails and time.monotonic() < until:
        time.sleep(0.1)
        arrived += len(orjson.loads(provider.get("/arrivals")))
        calls.update(orjson.loads(sqs.get("/calls")))
    time.sleep(0.5)
    calls.update(orjson.loads(sqs.get("/calls")))
    if arrived < mails or worker.process.poll() is not None:
        msg = f"{arrived} of {mails} mails were sent"
        raise RuntimeError(msg)
    send, receive, delete = (
        calls.pop(name) / mails
        for name in ("SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch")
    )
    others = sum(calls.values()) / mails
    return Row(
        what="SQS calls a mail under load, all told",
        measured=f"{send:.2f} + {receive:.2f} + {delete:.2f} + {others:.2f}",
        floor="send + receive + delete + others",
        value=send + receive + delete + others,
        reach=0.35,
        at_least=False,
    )


if __name__ == "__main__":
    run(rows)
