"""``limbo dead-letters``: read, redrive and drop the mails that limbo gave up on."""

import argparse
import os
import shutil
import sys
from typing import TYPE_CHECKING

from limbo.domain.errors import SettingsError
from limbo.entrypoints.cli.console import Console
from limbo.entrypoints.cli.dead_letters.bulk import settle
from limbo.entrypoints.cli.dead_letters.view import (
    causes_table,
    letter_document,
    letter_text,
    letters_table,
)
from limbo.entrypoints.http.api.representations import causes_shape
from limbo.entrypoints.settings.parsers import whole
from limbo.ports.dead_letters import DeadLetters

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - unnamed there

_DESCRIPTION = """\
Reads and settles the mails that limbo gave up on. Each lies there with its cause; `causes` tells of
which how many died. Addresses, subjects and bodies are shown only with --mail.

An SQS queue can be looked through only by receiving all of its dead letters, at most 20,000 in one
command; they are hidden meanwhile, for two minutes if the command is killed."""
_NAMES = """\
Name the dead letters by their IDs or by those of their mails; by --cause (an id that `causes`
shows, or a kind, which is all causes of that kind); or as --all.

Exit code: 0 all is done; 1 something named was not found, or the queue failed; 2 wrong usage or
settings."""


def add_parser(commands: "Commands") -> None:
    """Add the command to those of ``limbo``."""
    parser = _add(commands, "dead-letters", "read, redrive or drop what limbo gave up on")
    parser.description = _DESCRIPTION
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    shown = _add(actions, "list", "list them, newest first")
    shown.add_argument("--limit", type=_limit, default=50, metavar="N", help="at most 1000; 50")
    shown.add_argument("--after", metavar="ID", help="the last one of the page before")
    one = _add(actions, "show", "show all about one")
    one.add_argument("id", metavar="ID", help="its id, or that of its mail")
    one.add_argument("--mail", action="store_true", help="with addresses, subject and body")
    _add(actions, "causes", "count them by cause")
    for name, summary in (
        ("redrive", "put them back into the queue, with no touches"),
        ("drop", "delete them for good"),
    ):
        _add_selection(_add(actions, name, summary), name)
    for action in actions.choices.values():
        action.add_argument("--json", action="store_true", help="print one JSON document")
        action.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> int:
    """Do what the command line says, on the queue that the environment names."""
    from limbo.entrypoints.settings.settings import load  # noqa: PLC0415
    from limbo.entrypoints.wiring.container import Container  # noqa: PLC0415 - loaded when needed

    settings = load(os.environ)
    if settings.queue_kind == "memory":
        raise SettingsError(
            "LIMBO_QUEUE must not be memory: for `limbo dead-letters`: those dead letters live in"
            " the process of `limbo dev` alone, and nobody else can read them"
        )
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    console = Console(out=sys.stdout, err=sys.stderr, input=sys.stdin, width=width)
    return execute(parsed, Container(settings=settings).dead_letters(), console)


def execute(parsed: argparse.Namespace, dead_letters: DeadLetters, console: Console) -> int:
    """Do what the command line says, and return the exit code."""
    match parsed.action:
        case "list":
            return _list(parsed, dead_letters, console)
        case "show":
            return _show(parsed, dead_letters, console)
        case "causes":
            return _causes(parsed, dead_letters, console)
        case _:
            return settle(parsed, dead_letters, console)


def _list(parsed: argparse.Namespace, dead_letters: DeadLetters, console: Console) -> int:
    found = dead_letters.list(parsed.limit + 1, parsed.after)
    letters, has_more = found[: parsed.limit], len(found) > parsed.limit
    if parsed.json:
        data = [letter_document(letter) for letter in letters]
        console.print_json({"data": data, "has_more": has_more})
        return 0
    for line in letters_table(letters, console.width) if letters else ():
        console.print(line)
    if has_more:
        console.out.flush()
        page = f"--limit {parsed.limit} --after {letters[-1].id}"
        console.note(f"there are more: limbo dead-letters list {page}")
    elif not letters:
        console.note("no dead letters" if parsed.after is None else "no more dead letters")
    return 0


def _show(parsed: argparse.Namespace, dead_letters: DeadLetters, console: Console) -> int:
    letter = dead_letters.show(parsed.id)
    if letter is None:
        console.note(f"limbo: not found: {parsed.id}")
        return 1
    if parsed.json:
        console.print_json(letter_document(letter, with_mail=parsed.mail))
    else:
        for line in letter_text(letter, with_mail=parsed.mail):
            console.print(line)
    return 0


def _causes(parsed: argparse.Namespace, dead_letters: DeadLetters, console: Console) -> int:
    causes = dead_letters.causes()
    if parsed.json:
        console.print_json(causes_shape(causes))
    elif causes:
        for line in causes_table(causes, console.width):
            console.print(line)
    else:
        console.note("no dead letters")
    return 0


def _add(commands: "Commands", name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_selection(parser: argparse.ArgumentParser, name: str) -> None:
    parser.epilog = _NAMES
    parser.add_argument("ids", nargs="*", metavar="ID", help="of a dead letter or of its mail")
    parser.add_argument("--cause", metavar="C", help="all that died of this cause")
    parser.add_argument("--all", action="store_true", help="all that there are")
    if name == "drop":
        parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(refuse=parser.error)


def _limit(text: str) -> int:
    try:
        return whole(1, 1000)(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be {error}") from None
