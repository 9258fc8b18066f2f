"""``limbo keys create | list | revoke``: the API keys, for the operator of limbo."""

import argparse
from collections.abc import Callable
from typing import TypeVar

from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import KeyScope, parse_scopes
from limbo.domain.access.rate import parse_rate
from limbo.entrypoints.cli.command import Command, CommandGroup
from limbo.entrypoints.cli.keys.actions import create, list_keys, revoke

T = TypeVar("T")
_CREATE = """\
Makes an API key and prints it, alone, on standard output. It is shown this once: only a hash of
it is kept.

  limbo keys create --name shop --scope send,read --from '@shop.example' --rate 100/s

The scopes are send (submit mails, cancel them), read (see what became of them) and admin (the
dead letters; with another scope, everybody's mails); none implies another. A key that may send
names what its mails may be from: an address, a domain ('@shop.example'), all below one
('@*.shop.example') or any ('*').
Each api process keeps the rate by itself: three of them let three times as much through."""
_REVOKE = """\
Revokes a key, for good. Every api refuses it within 60 seconds. ID is what `limbo keys list`
shows, or the key itself."""


def _add_create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="what the list calls it")
    parser.add_argument(
        "--scope",
        required=True,
        type=_reading(lambda text: parse_scopes(text.split(","))),
        metavar="SCOPE[,SCOPE]",
        help=f"any of {','.join(KeyScope)}",
    )
    parser.add_argument(
        "--from",
        dest="allowed_from",
        action="append",
        default=[],
        type=_reading(lambda text: parse_allow_list([text])),
        metavar="FROM",
        help="what its mails may be from; may be repeated",
    )
    parser.add_argument(
        "--rate", type=_reading(parse_rate), help="requests at most, such as 100/s or 6000/min"
    )


def _add_revoke_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="its id, or the key itself")


def _reading(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return the parser with its ValueError turned into an error whose text argparse shows."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


COMMAND = CommandGroup(
    name="keys",
    summary="make, list and revoke API keys",
    description="Makes, lists and revokes API keys.",
    actions=(
        Command(
            name="create",
            summary="make a key, and print it once",
            description=_CREATE,
            run=create,
            add_arguments=_add_create_arguments,
        ),
        Command(
            name="list",
            summary="show all keys, oldest first",
            description="Shows all keys, oldest first; never a key itself.",
            run=list_keys,
            prints_json=True,
        ),
        Command(
            name="revoke",
            summary="make a key good for nothing",
            description=_REVOKE,
            run=revoke,
            add_arguments=_add_revoke_arguments,
        ),
    ),
)
