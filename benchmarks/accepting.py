"""Mails accepted per second over HTTP, against an application that keeps nothing; and latency.

python -m benchmarks.accepting
"""

import statistics
from collections.abc import Iterator

from benchmarks.support.programs import Program, databases, limbo, load, module
from benchmarks.support.report import Row, median_ratio, run

ROUNDS = 5
LATENCY_ROUNDS = 3
REACH = {"SQLite": 0.60, "PostgreSQL": 0.55}


def rows() -> Iterator[Row]:
    """Yield two rows for each database."""
    with (
        databases() as urls,
        module("support.bare") as bare,
        limbo("api", urls["SQLite"][0]) as sqlite,
        limbo("api", urls["PostgreSQL"][0]) as postgres,
    ):
        apis = {"SQLite": sqlite, "PostgreSQL": postgres}
        for program in (bare, sqlite, postgres):
            load(program, seconds=1)
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in apis}
        for _ in range(ROUNDS):
            for name, api in apis.items():
                floor = load(bare, seconds=2)["rate"]
                rounds[name].append((load(api, seconds=2)["rate"], floor))
        for name, measured in rounds.items():
            rate = statistics.median(ours for ours, _ in measured)
            yield Row(
                what=f"mails accepted per second, 64 connections, {name}",
                measured=f"{rate:,.0f}/s",
                floor=f"bare Starlette: {statistics.median(f for _, f in measured):,.0f}/s",
                value=median_ratio(measured),
                reach=REACH[name],
            )
            yield _latency(name, apis[name], rate / 2)


def _latency(name: str, api: Program, rate: float) -> Row:
    results = [load(api, seconds=3, rate=rate) for _ in range(LATENCY_ROUNDS)]
    p50, p99 = (statistics.median(result[key] for result in results) for key in ("p50", "p99"))
    return Row(
        what=f"p99 of accepting at half of that load, {name}",
        measured=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        floor=f"at {rate:,.0f}/s",
        value=p99,
        reach=25,
        at_least=False,
        unit=" ms",
    )


if __name__ == "__main__":
    run(rows)
