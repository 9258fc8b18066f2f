"""How long an idle limbo takes from a submission to the provider.

python -m benchmarks.waiting
"""

import contextlib
import json
import random
import statistics
import time
import urllib.request
from collections.abc import Iterator

from benchmarks.support.load import BODY
from benchmarks.support.programs import Program, databases, limbo, module
from benchmarks.support.report import Row, run

MAILS = 60
PAUSE_SECONDS = (0.03, 0.07)


def rows() -> Iterator[Row]:
    """Yield a row for each kind of queue."""
    with databases() as urls, module("support.provider", "0") as provider:
        environ = {
            "LIMBO_SENDERS": "mailgun",
            "LIMBO_MAILGUN_KEY": "key",
            "LIMBO_MAILGUN_DOMAIN": "mg.example",
            "LIMBO_MAILGUN_URL": provider.url,
        }
        for name, [url] in {**urls, "memory": ["memory:"]}.items():
            with contextlib.ExitStack() as stack:
                roles = ["dev"] if name == "memory" else ["api", "worker"]
                api, *_ = [stack.enter_context(limbo(role, url, environ)) for role in roles]
                delays = _delays(api, provider)
            yield Row(
                what=f"submit to provider, idle, p50, {name}",
                measured=f"p50 {statistics.median(delays):.1f} ms, most {max(delays):.1f} ms",
                floor="-",
                value=statistics.median(delays),
                reach=15,
                at_least=False,
                unit=" ms",
            )


def _delays(api: Program, provider: Program) -> list[float]:
    """Return the times from posting a mail until it reaches the provider, in ms."""
    delays = []
    for number in range(MAILS + 5):
        time.sleep(random.uniform(*PAUSE_SECONDS))
        posted = time.monotonic()
        urllib.request.urlopen(f"{api.url}/v1/mail", data=BODY, timeout=10).close()
        arrivals: list[float] = []
        while not arrivals:
            time.sleep(0.005)
            arrivals = json.loads(provider.get("/arrivals"))
        if number >= 5:
            delays.append((arrivals[0] - posted) * 1000)
    return delays


if __name__ == "__main__":
    run(rows)
