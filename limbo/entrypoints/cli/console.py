"""Where a command reads from and writes to."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """What the command reads from and writes to; ``width`` is None where that is no terminal."""

    out: TextIO
    err: TextIO
    input: TextIO
    width: int | None = None
    now: Callable[[], float] = time.monotonic

    def print(self, text: str) -> None:
        """Write a line of the result."""
        self.out.write(f"{text}\n")

    def print_json(self, document: object) -> None:
        """Write the result as one JSON document."""
        self.print(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())

    def note(self, text: str) -> None:
        """Write a line that is not the result."""
        self.err.write(f"{text}\n")
        self.err.flush()
