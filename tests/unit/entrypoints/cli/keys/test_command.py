import datetime as dt
import json
from pathlib import Path

import pytest

from limbo.adapters.files.api_keys import FileApiKeys
from limbo.domain.access.api_key import KeyScope, is_secret_of
from limbo.domain.access.credential import parse_credential
from limbo.entrypoints.cli.times import local_time
from tests.contracts.api_keys import CREATED, READER, REVOKED, a_key
from tests.support.command_line import CommandLine

SHOP = ("keys", "create", "--name", "shop", "--scope", "send,read", "--from", "@Shop.example")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def keys(path: Path) -> FileApiKeys:
    return FileApiKeys(path)


@pytest.fixture
def limbo(path: Path) -> CommandLine:
    """The command line, with its keys in a file."""
    environ = {"LIMBO_API_KEYS_FILE": str(path), "LIMBO_QUEUE": "memory:", "LIMBO_LEDGER": "none"}
    return CommandLine(environ)


def test_a_new_key_is_alone_on_standard_output_and_kept_as_a_hash(limbo, keys, path):
    rules = ("--from", "Boss@X.example", "--from", "@*.bücher.example")
    assert limbo.type(*SHOP, *rules, "--rate", "100/s") == 0
    credential = parse_credential(limbo.out.removesuffix("\n"))
    [key] = keys.list()
    assert is_secret_of(credential, key)
    assert (key.name, key.scopes) == ("shop", {KeyScope.SEND, KeyScope.READ})
    assert key.allowed_from.rules == {"@shop.example", "boss@x.example", "@*.xn--bcher-kva.example"}
    assert str(key.rate) == "100/s"
    assert key.id in limbo.err
    for text in (limbo.err, path.read_text()):
        assert credential.secret not in text
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("keys", "create"), "--name, --scope"),
        (("keys", "create", "--name", "x"), "--scope"),
        (("keys", "create", "--name", "x", "--scope", "root"), "must be of send, read, admin"),
        (("keys", "create", "--name", "x", "--scope", ""), "must be of send, read, admin"),
        ((*SHOP, "--from", "nobody"), "argument --from: must be boss@"),
        ((*SHOP, "--rate", "fast"), "argument --rate: must be a rate such as"),
        (("keys", "revoke"), "ID"),
        (("keys",), "ACTION"),
        (("keys", "drop"), "invalid choice"),
    ],
)
def test_wrong_usage_is_told_and_makes_no_key(limbo, capsys, path, arguments, says):
    with pytest.raises(SystemExit) as raised:
        limbo.type(*arguments)
    assert raised.value.code == 2
    assert says in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", "x", "--scope", "send"), "--from: must say"),
        (("--name", "x", "--scope", "read", "--from", "*"), "--from: is only for"),
        (("--name", " ", "--scope", "read"), "--name: must not be empty"),
        (("--name", "a\tb", "--scope", "read"), "--name: holds a forbidden character"),
    ],
)
def test_a_key_that_nobody_could_mean_is_not_made(limbo, path, arguments, says):
    assert limbo.type("keys", "create", *arguments) == 2
    assert limbo.err.startswith(f"limbo: {says}")
    assert limbo.out == ""
    assert not path.exists()


@pytest.fixture
def two_keys(keys):
    """Two keys in the store, of which one is revoked."""
    keys.add(a_key(id="0000000001", name="a shop", revoked_at=REVOKED))
    keys.add(a_key(id="0000000002", name="watch", created_at=CREATED + 1, **READER))


@pytest.mark.usefixtures("two_keys")
def test_the_list_is_a_table_in_columns_without_a_hash(limbo):
    assert limbo.type("keys", "list") == 0
    created, revoked = local_time(CREATED), local_time(REVOKED)
    rules = "@*.shop.example,@shop.example,boss@x.example"
    assert limbo.out.splitlines() == [
        f"ID          NAME    SCOPES     {'FROM':44}  RATE      {'CREATED':25}  REVOKED",
        f"0000000001  a shop  send,read  {rules}  6000/min  {created}  {revoked}",
        f"0000000002  watch   read       {'-':44}  -         {local_time(CREATED + 1)}  -",
    ]
    shown = dt.datetime.fromisoformat(created)
    assert shown == dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)


@pytest.mark.usefixtures("two_keys")
def test_the_rules_of_from_give_way_to_the_terminal(limbo):
    assert limbo.type("keys", "list", width=130) == 0
    lines = limbo.out.splitlines()
    assert max(map(len, lines)) == 130
    assert "  @*.shop.example,@shop.example,boss…  6000/min  2023" in lines[1]


@pytest.mark.usefixtures("two_keys")
def test_the_list_as_json_holds_the_same(limbo):
    assert limbo.type("keys", "list", "--json") == 0
    document = json.loads(limbo.out)
    shop, watch = document["data"]
    assert document["has_more"] is False
    assert shop == {
        "id": "0000000001",
        "name": "a shop",
        "scopes": ["send", "read"],
        "from": ["@*.shop.example", "@shop.example", "boss@x.example"],
        "rate": "6000/min",
        "created_at": "2023-11-14T22:13:20.250Z",
        "revoked_at": "2023-11-14T22:15:00.500Z",
    }
    assert (watch["from"], watch["rate"], watch["revoked_at"]) == ([], None, None)


@pytest.mark.parametrize("whole", [False, True])
def test_a_key_is_revoked_by_its_id_or_by_itself_once(limbo, keys, whole):
    limbo.type(*SHOP)
    text = limbo.out.strip()
    id_ = parse_credential(text).id
    assert limbo.type("keys", "revoke", text if whole else id_) == 0
    assert keys.find(id_).is_revoked
    assert "60 seconds" in limbo.err
    assert limbo.type("keys", "revoke", id_) == 1
    assert limbo.err.startswith("limbo: no key of that id")


@pytest.mark.usefixtures("two_keys")
def test_an_id_that_nobody_has_is_told_and_not_repeated(limbo):
    assert limbo.type("keys", "revoke", "limbo_secret") == 1
    assert "secret" not in limbo.err


@pytest.mark.parametrize(
    "arguments", [("keys", "list"), ("keys", "revoke", "0000000001"), SHOP], ids=["list", "-", "+"]
)
def test_a_store_that_does_not_answer_is_told_in_one_line(limbo, path, arguments):
    path.write_text("{")
    assert limbo.type(*arguments) == 1
    assert limbo.out == ""
    assert limbo.err.count("\n") == 1
    assert "line 1" in limbo.err


def test_keys_can_be_in_the_ledger_s_database(tmp_path):
    limbo = CommandLine({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db"})
    assert limbo.type(*SHOP) == 0
    made = limbo.out.strip()
    assert limbo.type("keys", "list", "--json") == 0
    [listed] = json.loads(limbo.out)["data"]
    assert listed["name"] == "shop"
    assert made not in limbo.out


def test_keys_need_somewhere_to_be(limbo):
    del limbo.environ["LIMBO_API_KEYS_FILE"]
    assert limbo.type("keys", "list") == 2
    assert limbo.err.startswith("limbo: LIMBO_API_KEYS_FILE must name a file")
