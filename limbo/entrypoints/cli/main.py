"""The command line: the table of commands, and the exit codes."""

import argparse
import os
from collections.abc import Mapping, Sequence

from limbo import __version__
from limbo.domain.errors import LimboError, SettingsError
from limbo.entrypoints.cli import api, check, dev, health, worker
from limbo.entrypoints.cli.command import Command, CommandGroup, add_commands, call
from limbo.entrypoints.cli.console import Console
from limbo.entrypoints.cli.dead_letters import command as dead_letters
from limbo.entrypoints.cli.keys import command as keys

COMMANDS: Sequence[Command | CommandGroup] = (
    dev.COMMAND,
    api.COMMAND,
    worker.COMMAND,
    check.COMMAND,
    health.COMMAND,
    dead_letters.COMMAND,
    keys.COMMAND,
)
_DESCRIPTION = """\
limbo is a mail gateway: it takes mails over HTTP, keeps them in a queue, and sends them through
whichever provider is up. Settings are environment variables, LIMBO_*; `limbo check` shows
those in force.
"""


def main(
    arguments: Sequence[str] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    console: Console | None = None,
    commands: Sequence[Command | CommandGroup] = COMMANDS,
) -> int:
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong settings or usage."""
    parsed = _parser(commands).parse_args(arguments)
    console = console or Console.standard()
    try:
        return call(parsed, environ, console)
    except LimboError as error:
        console.fail(str(error))
        return 2 if isinstance(error, SettingsError) else 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 1
    except OSError as error:
        console.fail(error.strerror or type(error).__name__)
        return 1


def _parser(commands: Sequence[Command | CommandGroup]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="limbo",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"limbo {__version__}")
    add_commands(parser, commands)
    return parser
