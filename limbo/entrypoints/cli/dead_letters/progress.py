"""The progress of a long command."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from limbo.entrypoints.cli.console import Console

_TERMINAL_SECONDS, _PLAIN_SECONDS = 0.1, 2.0


@dataclass(slots=True)
class Progress:
    """Shows the progress: on a terminal in one line that changes, else in a line now and then."""

    console: Console
    done: str
    total: int
    ids: set[str] = field(default_factory=set)
    said_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.said_at = self.console.now()

    def add(self, ids: Sequence[str]) -> None:
        """Count these as done."""
        self.ids.update(ids)
        now, terminal = self.console.now(), self.console.err.isatty()
        if now - self.said_at < (_TERMINAL_SECONDS if terminal else _PLAIN_SECONDS):
            return
        self.said_at = now
        text = f"{len(self.ids):,} of {self.total:,} {self.done}"
        self.console.err.write(f"\r{text}" if terminal else f"{text}\n")
        self.console.err.flush()

    def clear(self) -> None:
        """Clear the line for the result."""
        if self.console.err.isatty():
            self.console.err.write("\r\x1b[K")
