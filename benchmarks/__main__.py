"""All benchmarks, one after another, each in a process of its own: ``make bench``.

python -m benchmarks
"""

import subprocess
import sys
import time

from benchmarks.support.report import ROOT, ROWS_ONLY, print_header

SUBJECTS = (
    "accepting",
    "handler",
    "on_sqs",
    "sending",
    "queues",
    "waiting",
    "backlog",
    "idling",
    "starting",
    "memory",
)


def main() -> int:
    """Print one table; return 1 if a benchmark breaks; a figure that is missed is no error."""
    print_header()
    started = time.monotonic()
    commands = [[sys.executable, "-m", f"benchmarks.{name}", ROWS_ONLY] for name in SUBJECTS]
    broken = [name for name in commands if subprocess.run(name, cwd=ROOT, check=False).returncode]
    print(f"\n{time.monotonic() - started:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
