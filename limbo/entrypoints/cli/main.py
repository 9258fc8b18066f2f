"""The command line: which commands it knows, and the exit codes."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from limbo import __version__
from limbo.domain.errors import LimboError, SettingsError
from limbo.entrypoints.cli import health
from limbo.entrypoints.cli.command import Command, CommandGroup, add_commands, call
from limbo.entrypoints.cli.console import Console

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
    commands: Sequence[Command | CommandGroup] | None = None,
) -> int:
    """Run one command; return its exit code: 0 done, 1 failed, 2 wrong settings or usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parsed = _parser(commands or _commands(arguments)).parse_args(arguments)
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


def _commands(arguments: Sequence[str]) -> Sequence[Command | CommandGroup]:
    """Return all commands, but for a health check, which comes often, that one alone."""
    if arguments[:1] == [health.COMMAND.name]:
        return [health.COMMAND]
    from limbo.entrypoints.cli.commands import COMMANDS

    return COMMANDS


def _parser(commands: Sequence[Command | CommandGroup]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="limbo",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"limbo {__version__}")
    add_commands(parser, commands)
    return parser
