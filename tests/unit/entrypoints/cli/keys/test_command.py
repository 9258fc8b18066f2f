import datetime as dt
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from limbo.adapters.files.api_keys import FileApiKeys
from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import KeyScope, is_secret_of
from limbo.domain.access.credential import parse_credential
from limbo.domain.access.networks import NO_NETWORKS, parse_networks
from limbo.domain.access.rate import Rate
from limbo.entrypoints.cli.keys.view import HEADINGS
from limbo.entrypoints.cli.times import local_time
from tests.contracts.api_keys import CREATED, READER, REVOKED, a_key, found
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
        ((*SHOP, "--read-rate", "fast"), "argument --read-rate: must be a rate such as"),
        ((*SHOP, "--network", "10.0.0.1/8"), "argument --network: has bits behind its prefix"),
        ((*SHOP, "--expires", "soon"), "argument --expires: must be a number of days such as"),
        ((*SHOP, "--expires", "2020-01-01"), "argument --expires: must be a number of days"),
        ((*SHOP, "--expires", "0d"), "argument --expires: must be a number of days"),
        (("keys", "update"), "ID"),
        (("keys", "update", "0123456789"), "nothing to change"),
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
        (("--name", "x", "--scope", "read", "--client", "Shop"), "--client: must be 1 to 64 of"),
        (("--name", "x", "--scope", "read", "--client", "anonymous"), "--client: must not be"),
        (("--name", "a\tb", "--scope", "read"), "--name: holds a forbidden character"),
    ],
)
def test_a_key_that_nobody_could_mean_is_not_made(limbo, path, arguments, says):
    assert limbo.type("keys", "create", *arguments) == 2
    assert limbo.err.startswith(f"limbo: {says}")
    assert limbo.out == ""
    assert not path.exists()


def test_keys_of_one_client_are_made_for_it(limbo, keys):
    for _ in range(2):
        assert limbo.type(*SHOP, "--client", "shop") == 0
        assert "of the client shop" in limbo.err
    limbo.type(*SHOP)
    *two, alone = keys.list()
    assert [key.client.id for key in two] == ["shop", "shop"]
    assert alone.client.id == alone.id
    limbo.type(*SHOP, "--client", alone.id)  # what takes the place of a key that had no client
    assert keys.list()[-1].client.id == alone.id


def test_a_key_has_networks_rates_and_an_end(limbo, keys):
    networks = ("--network", "10.0.0.0/8", "--network", "2001:db8::/32")
    assert limbo.type(*SHOP, *networks, "--rate", "3/min", "--read-rate", "60/min") == 0
    [key] = keys.list()
    assert key.networks.texts == ("10.0.0.0/8", "2001:db8::/32")
    assert (str(key.rate), str(key.read_rate), key.expires_at) == ("3/min", "60/min", None)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2099-06-30", dt.datetime(2099, 7, 1, tzinfo=dt.UTC)),
        ("2099-06-30T12:00", dt.datetime(2099, 6, 30, 12, tzinfo=dt.UTC)),
        ("2099-06-30T12:00:00+02:00", dt.datetime(2099, 6, 30, 10, tzinfo=dt.UTC)),
    ],
)
def test_a_key_ends_with_a_day_or_at_a_time(limbo, keys, text, end):
    assert limbo.type(*SHOP, "--expires", text) == 0
    [key] = keys.list()
    assert key.expires_at == end.timestamp()


def test_a_key_ends_after_days(limbo, keys):
    assert limbo.type(*SHOP, "--expires", "90d") == 0
    [key] = keys.list()
    assert key.expires_at - key.created_at == pytest.approx(90 * 86_400, abs=60)


@pytest.mark.parametrize("whole", [False, True])
def test_what_an_option_names_is_changed_and_the_rest_stays(limbo, keys, whole):
    limbo.type(*SHOP, "--rate", "3/min", "--read-rate", "5/min", "--expires", "90d")
    text = limbo.out.strip()
    [before] = keys.list()
    id_ = text if whole else before.id

    def changed(*options):
        assert limbo.type("keys", "update", id_, *options) == 0
        assert limbo.out == ""
        assert "within 5 seconds" in limbo.err
        [key] = keys.list()
        return key

    assert changed("--name", "new") == replace(before, name="new")
    now = changed(
        "--name", "shop", "--rate", "9/s", "--from", "@x.example", "--from", "a@y.example"
    )
    rules = parse_allow_list(["@x.example", "a@y.example"])
    assert now == replace(before, rate=Rate(9, "s"), allowed_from=rules)
    assert changed("--rate", "none").rate is None
    assert changed("--read-rate", "none").read_rate is None
    assert changed("--expires", "never").expires_at is None
    assert changed("--network", "10.0.0.0/8").networks.texts == ("10.0.0.0/8",)
    assert changed("--network", "any").networks == NO_NETWORKS
    assert changed("--scope", "send").scopes == {KeyScope.SEND}
    assert limbo.type("keys", "update", id_, "--scope", "read") == 2
    assert limbo.err.startswith("limbo: --from: is only for")


def test_a_revoked_or_unknown_key_is_not_changed(limbo, keys):
    limbo.type(*SHOP)
    [key] = keys.list()
    limbo.type("keys", "revoke", key.id)
    before = keys.list()
    for id_ in (key.id, "0123456789", "limbo_secret"):
        assert limbo.type("keys", "update", id_, "--rate", "none") == 1
        assert limbo.err == "limbo: no key of that id is in force; `limbo keys list` shows them\n"
    assert keys.list() == before


@pytest.fixture
def three_keys(keys):
    """Keys in the store: one is revoked, one has expired, one was used."""
    keys.add(a_key(id="0000000001", client_id="shop", name="a shop", revoked_at=REVOKED))
    keys.add(a_key(id="0000000002", name="watch", created_at=CREATED + 1, **READER))
    changes = {"rate": Rate(3, "min"), "read_rate": Rate(60, "min"), "client_id": "shop"}
    keys.add(
        a_key(
            id="0000000003",
            created_at=CREATED + 2,
            allowed_from=parse_allow_list(["*"]),
            networks=parse_networks(["10.0.0.0/8"]),
            expires_at=REVOKED,
            **changes,
        )
    )
    keys.note_uses({"0000000002": CREATED + 60})


@pytest.mark.usefixtures("three_keys")
def test_the_list_is_a_table_in_columns_without_a_hash(limbo):
    assert limbo.type("keys", "list") == 0
    created, ended = local_time(CREATED), local_time(REVOKED)
    rules = "@*.shop.example,@shop.example,boss@x.example"
    headings, *lines = (re.split(r"  +", line) for line in limbo.out.splitlines())
    assert headings == [*HEADINGS]
    watched = f"{local_time(CREATED + 1)}|{local_time(CREATED + 60)}"
    made = local_time(CREATED + 2)
    assert ["|".join(line) for line in lines] == [
        f"0000000001|shop|a shop|send,read|{rules}|-|6000/min|-|{created}|-|revoked {ended}",
        f"0000000002|0000000002|watch|read|-|-|-|-|{watched}|-",
        f"0000000003|shop|shop|send,read|*|10.0.0.0/8|3/min|60/min|{made}|-|expired {ended}",
    ]
    shown = dt.datetime.fromisoformat(created)
    assert shown == dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)


@pytest.mark.usefixtures("three_keys")
def test_the_rules_of_from_give_way_to_the_terminal(limbo):
    assert limbo.type("keys", "list", width=205) == 0
    lines = limbo.out.splitlines()
    assert max(map(len, lines)) == 205
    assert re.search(r"  @\*\.shop\.example,@s.*…  -  ", lines[1])


@pytest.mark.usefixtures("three_keys")
def test_the_list_as_json_holds_the_same(limbo):
    assert limbo.type("keys", "list", "--json") == 0
    document = json.loads(limbo.out)
    shop, watch, other = document["data"]
    assert document["has_more"] is False
    assert shop == {
        "id": "0000000001",
        "client": "shop",
        "name": "a shop",
        "scopes": ["send", "read"],
        "from": ["@*.shop.example", "@shop.example", "boss@x.example"],
        "networks": [],
        "rate": "6000/min",
        "read_rate": None,
        "created_at": "2023-11-14T22:13:20.250Z",
        "last_used_at": None,
        "expires_at": None,
        "revoked_at": "2023-11-14T22:15:00.500Z",
    }
    assert (watch["client"], watch["from"], watch["rate"]) == ("0000000002", [], None)
    assert (watch["last_used_at"], watch["revoked_at"]) == ("2023-11-14T22:14:20.250Z", None)
    assert (other["read_rate"], other["networks"]) == ("60/min", ["10.0.0.0/8"])
    assert other["expires_at"] == "2023-11-14T22:15:00.500Z"


@pytest.mark.parametrize("whole", [False, True])
def test_a_key_is_revoked_by_its_id_or_by_itself_once(limbo, keys, whole):
    limbo.type(*SHOP)
    text = limbo.out.strip()
    id_ = parse_credential(text).id
    assert limbo.type("keys", "revoke", text if whole else id_) == 0
    assert found(keys, id_).is_revoked
    assert "within 5 seconds" in limbo.err
    assert limbo.type("keys", "revoke", id_) == 1
    assert limbo.err.startswith("limbo: no key of that id")


@pytest.mark.usefixtures("three_keys")
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
    [line] = [line for line in limbo.err.splitlines() if not line.startswith('{"audit_id"')]
    assert "line 1" in line


def test_keys_can_be_in_the_ledger_s_database(tmp_path):
    limbo = CommandLine({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db"})
    assert limbo.type("migrate") == 0
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
