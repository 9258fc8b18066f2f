"""The console: where a command reads from and writes to."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TextIO

from limbo.entrypoints.cli.table import table


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The streams of a command; ``width`` is None if ``out`` is no terminal."""

    out: TextIO
    err: TextIO
    input: TextIO
    width: int | None = None
    now: Callable[[], float] = time.monotonic

    @classmethod
    def standard(cls) -> Self:
        """Return the console of this process."""
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        return cls(out=sys.stdout, err=sys.stderr, input=sys.stdin, width=width)

    def print(self, text: str) -> None:
        """Write a line of the result."""
        self.out.write(f"{text}\n")

    def print_table(
        self, rows: Sequence[Sequence[str]], *, headings: Sequence[str] = (), cut: int = -1
    ) -> None:
        """Write the rows in columns; on a narrow terminal the column ``cut`` is shortened."""
        for line in table([headings, *rows] if headings else rows, self.width, cut=cut):
            self.print(line)

    def print_json(self, document: object) -> None:
        """Write the result as one JSON document, without characters that control a terminal."""
        text = json.dumps(document, indent=2, ensure_ascii=False)
        if not text.replace("\n", "").isprintable():
            text = json.dumps(document, indent=2)
        self.print(text)

    def print_json_list(self, data: Sequence[object], *, has_more: bool = False) -> None:
        """Write a list as one JSON document; ``has_more`` says that more entries follow."""
        self.print_json({"data": data, "has_more": has_more})

    def note(self, text: str) -> None:
        """Write a line that is not the result."""
        self.out.flush()
        self.err.write(f"{text}\n")
        self.err.flush()

    def confirmed(self, question: str) -> bool:
        """Ask a person, who has to say yes."""
        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        return self.input.readline().strip().lower() in ("y", "yes")

    def fail(self, text: str) -> None:
        """Write why the command failed; this works even if ``out`` cannot be written."""
        self.err.write(f"limbo: {text}\n")
        self.err.flush()
