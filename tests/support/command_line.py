"""A person at the command line, in this process: types a command, and reads what it printed."""

import io
import itertools
from collections.abc import Mapping, Sequence

from limbo.entrypoints.cli.command import Command, CommandGroup
from limbo.entrypoints.cli.commands import COMMANDS
from limbo.entrypoints.cli.console import Console
from limbo.entrypoints.cli.main import main


class TerminalIO(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def a_console(
    *, terminal: bool = False, answer: str = "", width: int | None = None, step: float = 1.0
) -> Console:
    """Return a console that keeps what is written; each look at its clock takes ``step``."""
    stream = TerminalIO if terminal else io.StringIO
    seconds = itertools.count(step=step)
    return Console(
        out=stream(),
        err=stream(),
        input=stream(answer),
        width=width,
        now=lambda: float(next(seconds)),
    )


class CommandLine:
    """Types commands in one environment; ``out`` and ``err`` are what the last one printed."""

    def __init__(
        self,
        environ: Mapping[str, str] | None = None,
        *,
        commands: Sequence[Command | CommandGroup] = COMMANDS,
        terminal: bool = False,
    ) -> None:
        self.environ = dict(environ or {})
        self.terminal = terminal
        self.out = self.err = ""
        self._commands = commands

    def type(self, *arguments: str, answer: str = "", width: int | None = None) -> int:
        """Run a command to its end; return its exit code."""
        console = a_console(terminal=self.terminal, answer=answer, width=width)
        try:
            return main(arguments, environ=self.environ, console=console, commands=self._commands)
        finally:
            self.out, self.err = console.out.getvalue(), console.err.getvalue()
