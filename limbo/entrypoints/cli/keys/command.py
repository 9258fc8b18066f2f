"""``limbo keys create | list | update | revoke``: the API keys, for the operator of limbo."""

import argparse

from limbo.entrypoints.cli.command import Command, CommandGroup
from limbo.entrypoints.cli.keys.actions import create, list_keys, revoke, update
from limbo.entrypoints.cli.keys.options import add_key_options

_CREATE = """\
Makes an API key and prints it, alone, on standard output. It is shown this once: only a hash of
it is kept.

  limbo keys create --client shop --name 'shop, 2027' --scope send,read --from '@shop.example' \\
    --rate 100/s --expires 90d

The scopes are send (submit mails, cancel them), read (see what became of them) and admin (the
dead letters; with another scope, everybody's mails); none implies another. A key that may send
names what its mails may be from: an address, a domain ('@shop.example'), all below one
('@*.shop.example') or any ('*').

The keys of one client share its mails, its idempotency keys and its rate, so that one can take
the place of another: make the new key, use it, revoke the old one. Without --client a key is a
client of its own, named by the key's id, which later keys can be made for.

A rate of 3/min lets three through at once, and three in each minute. What needs the scope send
is counted by --rate, all else by --read-rate, which is as large if it is not given. Each api
process counts by itself: three of them let three times as much through."""
_UPDATE = """\
Changes what a key may do; what no option names stays. Every api follows within 5 seconds. ID is
what `limbo keys list` shows, or the key itself.

  limbo keys update yt2ir86oxk --rate 200/s --network 10.0.0.0/8 --network 2001:db8::/32"""
_REVOKE = """\
Revokes a key, for good. Every api refuses it within 5 seconds. ID is what `limbo keys list`
shows, or the key itself."""


def _add_create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--client", help="whose key it is; by default a client of its own")
    add_key_options(parser, is_new=True)


def _add_update_arguments(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)
    add_key_options(parser, is_new=False)


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="its id, or the key itself")


COMMAND = CommandGroup(
    name="keys",
    summary="make, list, change and revoke API keys",
    description="Makes, lists, changes and revokes API keys.",
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
            description="Shows all keys, oldest first; never a key itself. When a key was last\n"
            "used may be a minute old.",
            run=list_keys,
            prints_json=True,
        ),
        Command(
            name="update",
            summary="change what a key may do",
            description=_UPDATE,
            run=update,
            add_arguments=_add_update_arguments,
        ),
        Command(
            name="revoke",
            summary="make a key good for nothing",
            description=_REVOKE,
            run=revoke,
            add_arguments=_add_id,
        ),
    ),
)
