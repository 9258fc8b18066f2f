import contextlib
import json

import pytest

from limbo.adapters.sql.migrations import VERSION, migrate, schema
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.breaker import BreakerState
from limbo.entrypoints.telemetry.metrics import Metrics
from tests.support.command_line import CommandLine
from tests.support.processes import reserved_port
from tests.support.stub_provider import Answer, StubProvider

UNREACHABLE = "postgresql://u:geheim@127.0.0.1:9/none"


@pytest.fixture
def limbo(tmp_path):
    """The command line, with a queue in a file and a fake sender."""
    worker_port = reserved_port()  # where no worker answers
    environ = {
        "LIMBO_QUEUE": f"sqlite:///{tmp_path}/l.db",
        "LIMBO_SENDERS": "fake",
        "LIMBO_ALLOW_ANONYMOUS": "true",
        "LIMBO_WORKER_PORT": str(worker_port.getsockname()[1]),
    }
    made = CommandLine(environ)
    assert made.type("migrate") == 0
    yield made
    worker_port.close()


@pytest.fixture
def mailgun(limbo):
    """A stub of Mailgun, which takes the place of the fake sender."""
    with StubProvider(default=Answer(status=400, body='{"message": "from is missing"}')) as stub:
        del limbo.environ["LIMBO_SENDERS"]
        limbo.environ |= {
            "MAILGUN": "key-geheim",
            "DOMAIN": "mg.example.com",
            "LIMBO_MAILGUN_URL": stub.url,
        }
        yield stub


@pytest.mark.usefixtures("mailgun")
def test_shows_the_settings_and_tries_each_part(limbo, tmp_path):
    assert limbo.type("check") == 0
    settings, _, parts = limbo.out.partition("\n\n")
    lines = [line.split() for line in settings.splitlines()]
    assert ["LIMBO_MAILGUN_KEY", "********", "MAILGUN"] in lines
    assert ["LIMBO_PORT", "8000", "default"] in lines
    *lines, breakers = parts.splitlines()
    assert lines == [
        f"queue: in {tmp_path}/l.db",
        "queue: 0 waiting, 0 in flight, 0 dead",
        "queue: ok",
        "ledger: ok",
        "keys: 0 active",
        "keys: ok",
        "anonymous access: send",
        "mailgun: ok",
        "api: ok",
        "worker: ok",
    ]
    assert breakers.startswith("breakers: no worker answers on port ")
    assert "geheim" not in limbo.out + limbo.err


@pytest.mark.usefixtures("mailgun")
def test_shows_the_same_as_json(limbo, tmp_path):
    assert limbo.type("check", "--json") == 0
    document = json.loads(limbo.out)
    *parts, breakers = document["data"]
    assert (breakers["part"], breakers["ok"]) == ("breakers", True)
    assert parts == [
        {
            "part": "queue",
            "ok": True,
            "problem": None,
            "file": f"{tmp_path}/l.db",
            "counts": {"waiting": 0, "in_flight": 0, "dead": 0},
        },
        {"part": "ledger", "ok": True, "problem": None},
        {"part": "keys", "ok": True, "problem": None, "counts": {"active": 0}},
        {"part": "anonymous access", "ok": True, "problem": None, "allowed": ["send"]},
        {"part": "mailgun", "ok": True, "problem": None},
        {"part": "api", "ok": True, "problem": None},
        {"part": "worker", "ok": True, "problem": None},
    ]
    assert document["has_more"] is False
    settings = document["settings"]
    assert settings["LIMBO_MAILGUN_KEY"] == {"value": "********", "source": "MAILGUN"}
    assert settings["LIMBO_PORT"] == {"value": "8000", "source": "default"}
    assert settings["LIMBO_REGION"] == {"value": None, "source": "not set"}
    assert "geheim" not in limbo.out + limbo.err


def test_tries_no_ledger_and_no_keys_where_there_are_none(limbo):
    limbo.environ["LIMBO_LEDGER"] = "none"
    assert limbo.type("check", "--json") == 0
    parts = [part["part"] for part in json.loads(limbo.out)["data"]]
    assert parts == ["queue", "anonymous access", "fake", "api", "worker", "breakers"]


@pytest.mark.parametrize(
    ("value", "shown", "allowed"),
    [("true", "send", ["send"]), ("read,send", "send, read", ["send", "read"])],
)
def test_says_what_anybody_may_do_without_a_key(limbo, value, shown, allowed):
    limbo.environ["LIMBO_ALLOW_ANONYMOUS"] = value
    assert limbo.type("check") == 0
    assert f"\nanonymous access: {shown}\n" in limbo.out
    assert limbo.type("check", "--json") == 0
    [part] = [p for p in json.loads(limbo.out)["data"] if p["part"] == "anonymous access"]
    assert part["allowed"] == allowed


def test_counts_no_key_that_has_ended(limbo):
    create = ("keys", "create", "--name", "x", "--scope", "read")
    for _ in range(2):
        assert limbo.type(*create, "--expires", "1d") == 0
    limbo.type("keys", "revoke", limbo.out.strip())
    assert limbo.type("check") == 0
    assert "\nkeys: 1 active\n" in limbo.out


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_fails_for_a_database_that_does_not_answer_and_tries_the_rest(limbo, json_):
    limbo.environ["LIMBO_LEDGER"] = UNREACHABLE
    assert limbo.type("check", *json_) == 1
    assert "geheim" not in limbo.out + limbo.err
    if json_:
        parts = {part["part"]: part for part in json.loads(limbo.out)["data"]}
        assert [parts[part]["ok"] for part in ("queue", "ledger", "fake")] == [True, False, True]
        assert "PostgreSQL" in parts["ledger"]["problem"]
    else:
        assert "ledger: cannot use the PostgreSQL" in limbo.out
        assert "fake: ok" in limbo.out


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_fails_when_a_provider_refuses(limbo, mailgun, json_):
    mailgun.default = Answer(status=401, body="Forbidden")
    assert limbo.type("check", *json_) == 1
    assert "geheim" not in limbo.out + limbo.err
    if json_:
        [part] = [x for x in json.loads(limbo.out)["data"] if x["part"] == "mailgun"]
        assert part["ok"] is False
        assert part["problem"].startswith("401")
    else:
        assert "mailgun: 401" in limbo.out


def test_tells_why_there_is_no_sender(limbo):
    del limbo.environ["LIMBO_SENDERS"]
    assert limbo.type("check") == 1
    assert "\nsenders: LIMBO_SENDERS must name a sender" in limbo.out


def test_a_long_value_gives_way_to_the_terminal(limbo):
    limbo.environ["LIMBO_FAKE_SCRIPT"] = ",".join(["ok"] * 60)
    assert limbo.type("check", width=80) == 0
    settings = limbo.out.partition("\n\n")[0].splitlines()
    assert max(map(len, settings)) == 80
    assert any(line.endswith("…  LIMBO_FAKE_SCRIPT") for line in settings)


@pytest.mark.parametrize(
    ("change", "role", "says"),
    [
        ({"LIMBO_QUEUE": "memory:"}, "api", "api: LIMBO_QUEUE must not be memory:"),
        ({"LIMBO_QUEUE": "memory:"}, "worker", "worker: LIMBO_QUEUE must not be memory:"),
        ({"LIMBO_LEDGER": "memory:"}, "api", "api: LIMBO_LEDGER must not be memory:"),
        ({"LIMBO_ALLOW_ANONYMOUS": "false"}, "api", "api: LIMBO_ALLOW_ANONYMOUS must be true"),
    ],
)
@pytest.mark.usefixtures("mailgun")
def test_says_what_a_role_would_refuse(limbo, change, role, says):
    limbo.environ |= change
    for arguments in ((), (role,)):
        assert limbo.type("check", *arguments) == 1
        assert f"\n{says}" in limbo.out
    other = {"api": "worker", "worker": "api"}[role]
    assert f"\n{other}: " not in limbo.out


@pytest.mark.parametrize("command", [("check",), ("keys", "list"), ("dead-letters", "list")])
def test_makes_no_database_where_there_is_none(command, tmp_path):
    limbo = CommandLine({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/l.db", "LIMBO_SENDERS": "fake"})
    assert limbo.type(*command) != 0
    says = f"there is no database {tmp_path}/l.db yet: run `limbo migrate`"
    assert says in limbo.out + limbo.err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("command", [("check",), ("keys", "list"), ("dead-letters", "list")])
def test_takes_no_table_further(command, tmp_path):
    with contextlib.closing(SqliteDatabase(tmp_path / "l.db")) as database:
        migrate(database, VERSION - 1)
        limbo = CommandLine({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/l.db", "LIMBO_SENDERS": "fake"})
        assert limbo.type(*command) != 0
        says = f"tables are of version {VERSION - 1}; this limbo needs {VERSION}: run `limbo"
        assert says in limbo.out + limbo.err
        assert schema(database, database.dialect).version == VERSION - 1


def test_leaves_no_file_behind(limbo, tmp_path):
    assert limbo.type("check") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["l.db"]


def test_shows_the_breakers_of_the_worker_on_its_port(limbo):
    metrics = Metrics()
    states = {"ses": BreakerState.OPEN, "mailgun": BreakerState.CLOSED}
    metrics.watch_breakers(lambda: states)
    answer = Answer(status=200, body=metrics.render().decode())
    with StubProvider(default=answer) as stub:
        limbo.environ["LIMBO_WORKER_PORT"] = stub.url.rpartition(":")[2]
        assert limbo.type("check", "worker") == 0
        assert limbo.out.splitlines()[-1] == "breakers: ses open, mailgun closed"
        assert limbo.type("check", "api") == 0
        assert "\nbreakers: " not in limbo.out
