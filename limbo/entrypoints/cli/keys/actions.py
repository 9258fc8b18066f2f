"""The actions of ``limbo keys``."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from limbo.domain.access.api_key import ApiKey
from limbo.domain.access.audit import Action
from limbo.domain.access.credential import new_credential, parse_credential
from limbo.domain.errors import SettingsError
from limbo.entrypoints.cli.audited import Audited, audited
from limbo.entrypoints.cli.command import Call
from limbo.entrypoints.cli.keys.options import given_fields
from limbo.entrypoints.cli.keys.view import HEADINGS, key_document, key_row, key_selection
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
    with (
        _opened_api_keys(call) as (api_keys, audited),
        audited(Action.CREATE_KEY, key_selection(key)) as changed,
    ):
        api_keys.add(key)
        changed.count = 1
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
    with _opened_api_keys(call) as (api_keys, audited):
        key = _changeable(api_keys, id_)
        try:
            changed_key = None if key is None else replace(key, **changes)
        except ValueError as error:
            raise _wrong_option(error) from None
        is_done = changed_key is not None and _update(api_keys, changed_key, audited)
    if not is_done:
        call.console.fail(_NO_SUCH_KEY)
        return 1
    call.console.note(f"The key {id_} is changed. Every api follows within 5 seconds.")
    return 0


def list_keys(call: Call) -> int:
    """Show all keys."""
    with _opened_api_keys(call) as (api_keys, _):
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
    with _opened_api_keys(call) as (api_keys, audited):
        is_revoked = _changeable(api_keys, id_) is not None and _revoke(api_keys, id_, audited)
    if not is_revoked:
        call.console.fail(_NO_SUCH_KEY)
        return 1
    call.console.note(f"The key {id_} is revoked. Every api refuses it within 5 seconds.")
    return 0


def _changeable(api_keys: ApiKeys, id_: str) -> ApiKey | None:
    """Return the key unless it is revoked: there is nothing to do, and nothing to record."""
    key = api_keys.find([id_]).get(id_)
    return None if key is None or key.is_revoked else key


def _revoke(api_keys: ApiKeys, id_: str, audited: Audited) -> bool:
    with audited(Action.REVOKE_KEY, {"id": id_}) as changed:
        is_revoked = api_keys.revoke(id_, time.time())
        changed.count = int(is_revoked)
    return is_revoked


def _update(api_keys: ApiKeys, key: ApiKey, audited: Audited) -> bool:
    with audited(Action.UPDATE_KEY, key_selection(key)) as changed:
        is_done = api_keys.update(key)
        changed.count = int(is_done)
    return is_done


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
def _opened_api_keys(call: Call) -> Iterator[tuple[ApiKeys, Audited]]:
    with opened_container(call.environ) as container:
        api_keys: ApiKeys | None = container.api_keys()
        if api_keys is None:
            raise SettingsError(
                "LIMBO_API_KEYS_FILE must name a file for API keys, or LIMBO_LEDGER a database"
            )
        yield api_keys, audited(call.console, container)
