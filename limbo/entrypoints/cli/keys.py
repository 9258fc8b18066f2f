"""``limbo keys create | list | revoke``: the API keys, for whoever runs limbo."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import ApiKey, KeyScope, parse_scopes
from limbo.domain.access.credential import new_credential, parse_credential
from limbo.domain.access.rate import parse_rate
from limbo.domain.errors import SettingsError
from limbo.ports.api_keys import ApiKeys

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no other name

OpenApiKeys = Callable[[], ApiKeys]
T = TypeVar("T")
_SUMMARY = "make, list and revoke API keys"
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
_HEADINGS = ("ID", "NAME", "SCOPES", "FROM", "RATE", "CREATED", "REVOKED")


def add_parser(commands: "Commands", open_api_keys: OpenApiKeys) -> None:
    """Add ``keys`` to the commands; ``open_api_keys`` is called by those that need the store."""
    keys = commands.add_parser(
        "keys", help=_SUMMARY, description="Makes, lists and revokes API keys."
    )
    actions = keys.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = _action(actions, "create", "make a key, and print it once", _CREATE)
    create.add_argument("--name", required=True, help="what the list calls it")
    create.add_argument(
        "--scope",
        required=True,
        type=_reading(lambda text: parse_scopes(text.split(","))),
        metavar="SCOPE[,SCOPE]",
        help=f"any of {','.join(KeyScope)}",
    )
    create.add_argument(
        "--from",
        dest="allowed_from",
        action="append",
        default=[],
        type=_reading(lambda text: parse_allow_list([text])),
        metavar="FROM",
        help="what its mails may be from; may be repeated",
    )
    create.add_argument(
        "--rate", type=_reading(parse_rate), help="requests at most, such as 100/s or 6000/min"
    )
    create.set_defaults(run=lambda parsed: _create(open_api_keys, parsed))
    listing = _action(actions, "list", "show all keys, oldest first", "Shows all keys.")
    listing.add_argument("--json", action="store_true", help="print a JSON array")
    listing.set_defaults(run=lambda parsed: _list(open_api_keys(), as_json=parsed.json))
    revoke = _action(actions, "revoke", "make a key good for nothing", _REVOKE)
    revoke.add_argument("id", metavar="ID")
    revoke.set_defaults(run=lambda parsed: _revoke(open_api_keys(), parsed.id))


def _create(open_api_keys: OpenApiKeys, parsed: argparse.Namespace) -> int:
    credential = new_credential()
    try:
        key = ApiKey(
            id=credential.id,
            name=parsed.name,
            sha256=credential.sha256,
            scopes=parsed.scope,
            allowed_from=parse_allow_list(
                rule for given in parsed.allowed_from for rule in given.rules
            ),
            rate=parsed.rate,
            created_at=time.time(),
        )
    except ValueError as error:  # its text begins with the name of the option
        raise SettingsError(f"--{error}") from None
    open_api_keys().add(key)
    print(credential.reveal(), flush=True)  # noqa: T201
    _say(f"This is the key {key.id} ({key.name}). It is shown this once; only a hash is kept.")
    return 0


def _list(keys: ApiKeys, *, as_json: bool) -> int:
    found = keys.list()
    if as_json:
        print(json.dumps([_document(key) for key in found], indent=2))  # noqa: T201
        return 0
    rows = [_HEADINGS, *map(_row, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())  # noqa: T201
    return 0


def _revoke(keys: ApiKeys, text: str) -> int:
    id_ = _id(text)
    if not keys.revoke(id_, time.time()):
        _say("limbo: no key of that id is in force; `limbo keys list` shows them")
        return 1
    _say(f"The key {id_} is revoked. Every api refuses it within 60 seconds.")
    return 0


def _action(actions: "Commands", name: str, summary: str, details: str) -> argparse.ArgumentParser:
    return actions.add_parser(
        name,
        help=summary,
        description=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _reading(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse show the text of a ValueError, which it would keep to itself."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _id(text: str) -> str:
    """Return the id, also of a whole key: whoever found one that leaked has nothing else."""
    try:
        return parse_credential(text.strip()).id
    except ValueError:
        return text.strip()


def _document(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": _scopes(key),
        "from": sorted(key.allowed_from.rules),
        "rate": None if key.rate is None else str(key.rate),
        "created": _time(key.created_at),
        "revoked": None if key.revoked_at is None else _time(key.revoked_at),
    }


def _row(key: ApiKey) -> Sequence[str]:
    return (
        key.id,
        key.name,
        ",".join(_scopes(key)),
        ",".join(sorted(key.allowed_from.rules)) or "-",
        "-" if key.rate is None else str(key.rate),
        _time(key.created_at),
        "-" if key.revoked_at is None else _time(key.revoked_at),
    )


def _scopes(key: ApiKey) -> list[str]:
    return [scope for scope in KeyScope if scope in key.scopes]


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201
