"""The table of figures, and its header: which code ran on which machine."""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS_ONLY = "--rows"
_WIDTHS = (58, 30, 34, 7, 8)
_FSYNCS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside its floor; ``value``, a ratio or a figure, has to reach ``reach``."""

    what: str
    measured: str
    floor: str
    value: float
    reach: float
    at_least: bool = True
    unit: str = ""

    def __str__(self) -> str:
        """Return the row as it is printed."""
        met = self.value >= self.reach if self.at_least else self.value <= self.reach
        sign = "≥" if self.at_least else "≤"
        value = f"{self.value:.2f}" if self.value < 100 else f"{self.value:.0f}"
        reach = f"{sign} {self.reach:g}{self.unit}"
        return _line(self.what, self.measured, self.floor, value, reach, "met" if met else "MISSED")


def run(rows: Callable[[], Iterable[Row]]) -> None:
    """Print the rows of one subject as they come, under a header unless told otherwise."""
    if ROWS_ONLY not in sys.argv:
        print_header()
    for row in rows():
        print(row, flush=True)


def print_header() -> None:
    """Print commit and machine, and the table's first lines."""
    lines = {
        "commit": _commit(),
        "at": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "fsync": f"{_fsync() * 1e3:.2f} ms (median, one page in {tempfile.gettempdir()})",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }
    for name, text in lines.items():
        print(f"{name:<8} {text}")
    print("\n" + _line("What", "limbo", "against", "value", "reach", ""))
    print("|" + "|".join("-" * (width + 2) for width in (*_WIDTHS, 6)) + "|", flush=True)


def median_ratio(rounds: Sequence[tuple[float, float]]) -> float:
    """Return the median of the ratios; the figures of a pair were measured one after the other."""
    return statistics.median(ours / floor for ours, floor in rounds)


def _line(*cells: str) -> str:
    padded = [f"{cell:<{width}}" for cell, width in zip(cells, (*_WIDTHS, 6), strict=True)]
    return f"| {' | '.join(padded)} |"


def _commit() -> str:
    changed = _git("status", "--porcelain", "--", "limbo")
    return _git("rev-parse", "--short=12", "HEAD") + (" and changes" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _fsync() -> float:
    """Return how long it takes to write a page to the disk, in seconds."""
    times = []
    with tempfile.TemporaryFile() as file:
        for _ in range(_FSYNCS):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times)
