"""One command of the command line: its name, its arguments, and what it does."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from limbo.entrypoints.cli.console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The call of a command; ``refuse`` ends it as wrong usage, with exit code 2."""

    arguments: argparse.Namespace
    environ: Mapping[str, str]
    console: Console
    refuse: Callable[[str], NoReturn]


T = TypeVar("T")
Run = Callable[[Call], int]
"""Runs the command, and returns its exit code."""

AddArguments = Callable[[argparse.ArgumentParser], None]


def no_arguments(_: argparse.ArgumentParser) -> None:
    """Add nothing: the command takes no arguments."""


def as_argument(parse: Callable[[str], T], *, before: str = "") -> Callable[[str], T]:
    """Return the parser of an argument; argparse shows ``before`` and the text of its ValueError.

    Of a ValueError itself, argparse shows nothing.
    """

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{before}{error}") from None

    return read


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
    """A command that only has actions, such as ``limbo keys``."""

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
    """Add the commands to the parser; ``call`` runs what it has parsed."""
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
