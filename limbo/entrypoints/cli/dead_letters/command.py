"""``limbo dead-letters``: read, redrive and drop the mails that limbo gave up on."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from limbo.entrypoints.cli.audited import Audited, audited
from limbo.entrypoints.cli.command import (
    AddArguments,
    Call,
    Command,
    CommandGroup,
    Run,
    as_argument,
    no_arguments,
)
from limbo.entrypoints.cli.dead_letters.bulk import drop, redrive
from limbo.entrypoints.cli.dead_letters.reading import causes, list_letters, show
from limbo.entrypoints.cli.parts import opened_container, refuse_unshared
from limbo.entrypoints.settings.parsers import whole
from limbo.ports.dead_letters import DeadLetters

_DESCRIPTION = """\
Reads, redrives and drops the mails that limbo gave up on. Each lies there with its cause; `causes`
tells of which how many died. Addresses, subjects and bodies are shown only with --mail.

An SQS queue can be looked through only by receiving all of its dead letters, at most 20,000 in one
command; they are hidden meanwhile, for two minutes if the command is killed."""
_LIST = "Lists the dead letters, newest first."
_SHOW = "Shows all about one dead letter: its cause, and each attempt of its last touch."
_CAUSES = "Counts the dead letters by their cause, the most frequent first."
_REDRIVE = "Puts dead letters back into the queue, with no touches."
_DROP = "Deletes dead letters for good."
_NAMES = """\
Name the dead letters by their IDs or by those of their mails; by --cause (an id that `causes`
shows, or a kind, which is all causes of that kind); or as --all.

Exit code: 0 all is done; 1 something named was not found, or the queue failed; 2 wrong usage or
settings."""

Opened = Callable[[Call], AbstractContextManager[tuple[DeadLetters, Audited]]]
Reading = Callable[[Call, DeadLetters], int]
Changing = Callable[[Call, DeadLetters, Audited], int]


@contextmanager
def opened_dead_letters(call: Call) -> Iterator[tuple[DeadLetters, Audited]]:
    """Yield the dead letters of the queue that the environment names, and their audit."""
    with opened_container(call.environ) as container:
        refuse_unshared(container.settings(), "dead-letters")
        yield container.dead_letters(), audited(call.console, container)


def command(opened: Opened) -> CommandGroup:
    """Return the command for the dead letters that ``opened`` yields."""
    reading, changing = partial(_reading, opened), partial(_changing, opened)

    def action(
        name: str,
        summary: str,
        description: str,
        run: Run,
        add_arguments: AddArguments = no_arguments,
    ) -> Command:
        return Command(
            name=name,
            summary=summary,
            description=description,
            run=run,
            add_arguments=add_arguments,
            prints_json=True,
        )

    return CommandGroup(
        name="dead-letters",
        summary="read, redrive or drop what limbo gave up on",
        description=_DESCRIPTION,
        actions=(
            action("list", "list them, newest first", _LIST, reading(list_letters), _add_page),
            action("show", "show all about one", _SHOW, reading(show), _add_one),
            action("causes", "count them by cause", _CAUSES, reading(causes)),
            action(
                "redrive",
                "put them back into the queue",
                _REDRIVE,
                changing(redrive),
                _add_selection,
            ),
            action("drop", "delete them for good", _DROP, changing(drop), _add_selection_to_drop),
        ),
    )


def _reading(opened: Opened, work: Reading) -> Run:
    def run(call: Call) -> int:
        with opened(call) as (dead_letters, _):
            return work(call, dead_letters)

    return run


def _changing(opened: Opened, work: Changing) -> Run:
    def run(call: Call) -> int:
        with opened(call) as (dead_letters, audited):
            return work(call, dead_letters, audited)

    return run


def _add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        type=as_argument(whole(1, 1000), before="must be "),
        default=50,
        metavar="N",
        help="how many, at most 1000 (default: 50)",
    )
    parser.add_argument("--after", metavar="ID", help="show those that follow this dead letter")
    parser.add_argument("--cause", metavar="CAUSE", help="those that died of this cause or kind")


def _add_one(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="its id, or that of its mail")
    parser.add_argument("--mail", action="store_true", help="with addresses, subject and body")


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _NAMES
    parser.add_argument("ids", nargs="*", metavar="ID", help="of a dead letter or of its mail")
    parser.add_argument("--cause", metavar="CAUSE", help="all that died of this cause")
    parser.add_argument("--all", action="store_true", help="all that there are")


def _add_selection_to_drop(parser: argparse.ArgumentParser) -> None:
    _add_selection(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


COMMAND = command(opened_dead_letters)
