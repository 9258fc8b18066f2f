"""The actions of ``limbo keys``."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from limbo.domain.access.api_key import ApiKey
from limbo.domain.access.credential import new_credential, parse_credential
from limbo.domain.errors import SettingsError
from limbo.entrypoints.cli.command import Call
from limbo.entrypoints.cli.keys.options import given_fields
from limbo.entrypoints.cli.keys.view import HEADINGS, key_document, key_row
from limbo.entrypoints.cli.parts import opened_container
from limbo.ports.api_keys import ApiKeys

_NO_SUCH_KEY = "no key of that id is in force; `limbo keys list` shows them"


def create(call: Call) -> int:
    """Make a key and print it."""
    arguments = call.arguments
    credential = new_credential()
    try:
        key = ApiKey(
            id=credential.id,
            client_id=arguments.client,
            sha256=credential.sha256,
            created_at=time.time(),
            **given_fields(arguments),
        )
    except ValueError as error:
        raise _wrong_option(error) from None
    with _opened_api_keys(call.environ) as api_keys:
        api_keys.add(key)
    call.console.print(credential.reveal())
    call.console.note(
        f"This is the key {key.id} ({key.name}) of the client {key.client.id}. It is shown this"
        " once; only a hash is kept."
    )
    return 0


def update(call: Call) -> int:
    """Change a key; return 1 if no key that is not revoked has that id."""
    changes = given_fields(call.arguments)
    if not changes:
        call.refuse("nothing to change: name one option at least")
    id_ = _id(call.arguments.id)
    with _opened_api_keys(call.environ) as api_keys:
        key = api_keys.find([id_]).get(id_)
        try:
            is_done = key is not None and api_keys.update(replace(key, **changes))
        except ValueError as error:
            raise _wrong_option(error) from None
    if not is_done:
        call.console.fail(_NO_SUCH_KEY)
        return 1
    call.console.note(f"The key {id_} is changed. Every api follows within 5 seconds.")
    return 0


def list_keys(call: Call) -> int:
    """Show all keys."""
    with _opened_api_keys(call.environ) as api_keys:
        keys = api_keys.list()
    if call.arguments.json:
        call.console.print_json_list([key_document(key) for key in keys])
    else:
        now = time.time()
        rows = [key_row(key, now) for key in keys]
        call.console.print_table(rows, headings=HEADINGS, cut=HEADINGS.index("FROM"))
    return 0


def revoke(call: Call) -> int:
    """Revoke a key; return 1 if no key in force has that id."""
    id_ = _id(call.arguments.id)
    with _opened_api_keys(call.environ) as api_keys:
        is_revoked = api_keys.revoke(id_, time.time())
    if not is_revoked:
        call.console.fail(_NO_SUCH_KEY)
        return 1
    call.console.note(f"The key {id_} is revoked. Every api refuses it within 5 seconds.")
    return 0


def _wrong_option(error: ValueError) -> SettingsError:
    """Return the error for a key that makes no sense; its text begins with the option's name."""
    return SettingsError(f"--{error}")


def _id(text: str) -> str:
    """Return the id; the text may be a whole key, for an operator who has found a leaked one."""
    try:
        return parse_credential(text.strip()).id
    except ValueError:
        return text.strip()


@contextmanager
def _opened_api_keys(environ: Mapping[str, str]) -> Iterator[ApiKeys]:
    with opened_container(environ) as container:
        api_keys: ApiKeys | None = container.api_keys()
        if api_keys is None:
            raise SettingsError(
                "LIMBO_API_KEYS_FILE must name a file for API keys, or LIMBO_LEDGER a database"
            )
        yield api_keys
