"""One command of the command line: how it is called, what it takes, what it does."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from limbo.entrypoints.cli.console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a command is called with; ``refuse`` ends it as wrong usage, with exit code 2."""

    arguments: argparse.Namespace
    environ: Mapping[str, str]
    console: Console
    refuse: Callable[[str], NoReturn]


Run = Callable[[Call], int]
"""Does what the call says, and returns the exit code."""


AddArguments = Callable[[argparse.ArgumentParser], None]


def no_arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command takes no arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command, or one action of a group; ``prints_json`` gives it the option ``--json``."""

    name: str
    summary: str
    description: str
    run: Run
    add_arguments: AddArguments = no_arguments
    prints_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGroup:
    """A command that does nothing by itself, but has actions."""

    name: str
    summary: str
    description: str
    actions: Sequence[Command]


def add_commands(
    parser: argparse.ArgumentParser,
    commands: Sequence[Command | CommandGroup],
    *,
    title: str = "commands",
    metavar: str = "COMMAND",
) -> None:
    """Let the parser know the commands; what it parses is then good for ``call``."""
    subparsers = parser.add_subparsers(title=title, metavar=metavar, required=True)
    for command in commands:
        own = subparsers.add_parser(
            command.name,
            help=command.summary,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        match command:
            case CommandGroup(actions=actions):
                add_commands(own, actions, title="actions", metavar="ACTION")
            case Command():
                command.add_arguments(own)
                if command.prints_json:
                    own.add_argument("--json", action="store_true", help="print one JSON document")
                own.set_defaults(run=command.run, refuse=own.error)


def call(arguments: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Run the command that was parsed; return its exit code."""
    run: Run = arguments.run
    refuse: Callable[[str], NoReturn] = arguments.refuse
    return run(Call(arguments=arguments, environ=environ, console=console, refuse=refuse))
