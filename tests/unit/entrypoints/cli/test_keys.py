import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from limbo.adapters.files.api_keys import FileApiKeys
from limbo.domain.access.api_key import KeyScope, is_secret_of
from limbo.domain.access.credential import parse_credential
from limbo.domain.errors import ApiKeysUnavailable, SettingsError
from limbo.entrypoints.cli.keys import add_parser
from tests.contracts.api_keys import CREATED, READER, REVOKED, a_key

SHOP = ("create", "--name", "shop", "--scope", "send,read", "--from", "@Shop.example")


@pytest.fixture
def keys(tmp_path: Path) -> FileApiKeys:
    return FileApiKeys(tmp_path / "keys.json")


def run(keys: FileApiKeys, *arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="limbo")
    add_parser(parser.add_subparsers(), lambda: keys)
    parsed = parser.parse_args(["keys", *arguments])
    code: int = parsed.run(parsed)
    return code


def test_a_new_key_is_alone_on_standard_output_and_kept_as_a_hash(keys, capsys, tmp_path):
    rules = ("--from", "Boss@X.example", "--from", "@*.bücher.example")
    assert run(keys, *SHOP, *rules, "--rate", "100/s") == 0
    out, err = capsys.readouterr()
    credential = parse_credential(out.removesuffix("\n"))
    [key] = keys.list()
    assert is_secret_of(credential, key)
    assert (key.name, key.scopes) == ("shop", {KeyScope.SEND, KeyScope.READ})
    assert key.allowed_from.rules == {"@shop.example", "boss@x.example", "@*.xn--bcher-kva.example"}
    assert str(key.rate) == "100/s"
    assert key.id in err
    for text in (err, (tmp_path / "keys.json").read_text()):
        assert credential.secret not in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create",), "--name, --scope"),
        (("create", "--name", "x"), "--scope"),
        (("create", "--name", "x", "--scope", "root"), "must be of send, read, admin"),
        (("create", "--name", "x", "--scope", ""), "must be of send, read, admin"),
        ((*SHOP, "--from", "nobody"), "argument --from: must be boss@"),
        ((*SHOP, "--rate", "fast"), "argument --rate: must be a rate such as"),
        (("revoke",), "ID"),
        ((), "ACTION"),
        (("drop",), "invalid choice"),
    ],
)
def test_wrong_usage_is_told_and_makes_no_key(keys, capsys, arguments, says):
    with pytest.raises(SystemExit) as raised:
        run(keys, *arguments)
    assert raised.value.code == 2
    assert says in capsys.readouterr().err
    with pytest.raises(ApiKeysUnavailable, match="No such file"):
        keys.list()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", "x", "--scope", "send"), "--from: must say"),
        (("--name", "x", "--scope", "read", "--from", "*"), "--from: is only for"),
        (("--name", " ", "--scope", "read"), "--name: must not be empty"),
        (("--name", "a\tb", "--scope", "read"), "--name: holds a forbidden character"),
    ],
)
def test_a_key_that_nobody_could_mean_is_not_made(keys, arguments, says):
    with pytest.raises(SettingsError, match=says):
        run(keys, "create", *arguments)


def a_list(keys: FileApiKeys) -> Sequence[str]:
    keys.add(a_key(id="0000000001", name="a shop", revoked_at=REVOKED))
    keys.add(a_key(id="0000000002", name="watch", created_at=CREATED + 1, **READER))
    return ("0000000001", "0000000002")


def test_the_list_is_a_table_in_columns_without_a_hash(keys, capsys):
    a_list(keys)
    assert run(keys, "list") == 0
    lines = capsys.readouterr().out.splitlines()
    created, revoked = "2023-11-14T22:13:20Z", "2023-11-14T22:15:00Z"
    rules = "@*.shop.example,@shop.example,boss@x.example"
    assert lines == [
        f"ID          NAME    SCOPES     {'FROM':44}  RATE      {'CREATED':20}  REVOKED",
        f"0000000001  a shop  send,read  {rules}  6000/min  {created}  {revoked}",
        f"0000000002  watch   read       {'-':44}  -         2023-11-14T22:13:21Z  -",
    ]


def test_the_list_as_json_holds_the_same(keys, capsys):
    a_list(keys)
    assert run(keys, "list", "--json") == 0
    shop, watch = json.loads(capsys.readouterr().out)
    assert shop == {
        "id": "0000000001",
        "name": "a shop",
        "scopes": ["send", "read"],
        "from": ["@*.shop.example", "@shop.example", "boss@x.example"],
        "rate": "6000/min",
        "created": "2023-11-14T22:13:20Z",
        "revoked": "2023-11-14T22:15:00Z",
    }
    assert (watch["from"], watch["rate"], watch["revoked"]) == ([], None, None)


@pytest.mark.parametrize("whole", [False, True])
def test_a_key_is_revoked_by_its_id_or_by_itself_once(keys, capsys, whole):
    run(keys, *SHOP)
    text = capsys.readouterr().out.strip()
    id_ = parse_credential(text).id
    assert run(keys, "revoke", text if whole else id_) == 0
    assert keys.find(id_).is_revoked
    assert "60 seconds" in capsys.readouterr().err
    assert run(keys, "revoke", id_) == 1
    assert "no key of that id" in capsys.readouterr().err


def test_an_id_that_nobody_has_is_told_and_not_repeated(keys, capsys):
    a_list(keys)
    assert run(keys, "revoke", "limbo_secret") == 1
    assert "secret" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("list",), ("revoke", "0000000001"), SHOP])
def test_a_store_that_does_not_answer_is_an_error_of_limbo_s_own(keys, tmp_path, arguments):
    (tmp_path / "keys.json").write_text("{")
    with pytest.raises(ApiKeysUnavailable, match="line 1"):
        run(keys, *arguments)


def test_the_help_is_there_without_a_store(keys, capsys):
    for action in ((), ("create",), ("list",), ("revoke",)):
        with pytest.raises(SystemExit) as raised:
            run(keys, *action, "--help")
        assert raised.value.code == 0
        assert "usage: limbo keys" in capsys.readouterr().out


def test_a_command_that_needs_no_key_loads_no_store():
    code = (
        "import sys, limbo.entrypoints.cli.keys\n"
        "print([name for name in sys.modules if name.startswith('limbo.adapters')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert loaded.stdout.strip() == b"[]"
