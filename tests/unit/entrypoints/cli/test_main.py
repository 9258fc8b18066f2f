"""What holds for every command of limbo, the next one too."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from limbo import __version__
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.verdict import Attempt, Cause, Death, Failed, Fault
from limbo.domain.errors import LedgerUnavailable, QueueUnavailable, SettingsError
from limbo.entrypoints.cli.command import Call, Command, CommandGroup
from limbo.entrypoints.cli.commands import COMMANDS
from tests.support.command_line import CommandLine
from tests.support.mails import a_mail

# What each command needs at least; the mail is in the dead letters.
ARGUMENTS = {
    "dev": (),
    "api": (),
    "worker": (),
    "check": (),
    "migrate": (),
    "health": (),
    "dead-letters list": (),
    "dead-letters show": ("{mail}", "--mail"),
    "dead-letters causes": (),
    "dead-letters redrive": ("{mail}", "nothing"),
    "dead-letters drop": ("--all", "--yes"),
    "keys create": ("--name", "n", "--scope", "read"),
    "keys list": (),
    "keys update": ("0123456789", "--name", "x"),
    "keys revoke": ("nothing",),
    "audit": (),
    "bodies": (),
    "forget": ("a@example.com", "--yes"),
    "hash": ("a@example.com",),
}
# What tells of one thing, or of what was done; any other document is a list.
NO_LISTS = {"dead-letters show", "dead-letters redrive", "dead-letters drop", "forget"}
HEAVY = [
    "starlette",
    "uvicorn",
    "uvloop",
    "boto3",
    "botocore",
    "requests",
    "structlog",
    "asyncio",
    "prometheus_client",
    "dependency_injector",
    "psycopg",
    "sqlite3",
]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
A_TIME = re.compile(r"\d{4}-\d\d-\d\d|\d{9,}(\.\d+)?")


def _named() -> dict[str, Command]:
    """Return all commands and actions by what is typed for them."""
    found = {}
    for command in COMMANDS:
        match command:
            case Command(name=name):
                found[name] = command
            case CommandGroup(name=name, actions=actions):
                found |= {f"{name} {action.name}": action for action in actions}
    return found


NAMED = _named()
EVERY = {command.name: command for command in COMMANDS} | NAMED


@pytest.fixture
def limbo(tmp_path):
    """The command line of a limbo with a dead letter and two keys."""
    url = f"sqlite:///{tmp_path}/limbo.db"
    database = SqliteDatabase.connect(url)
    queue = SqlQueue(database)
    mail = a_mail()
    queue.put([mail])
    refused = Failed(Fault.MAIL, "550 no such user")
    attempt = Attempt(sender="ses", started_at=1e9, duration=0.25, verdict=refused)
    cause = Cause(kind=Fault.MAIL, sender="ses", reason="550 no such user")
    queue.bury(queue.receive(1, 0)[0], Death(cause=cause, attempts=[attempt]))
    database.close()
    limbo = CommandLine({"LIMBO_QUEUE": url, "LIMBO_SENDERS": "fake"})
    limbo.type("keys", "create", "--name", "shop", "--scope", "send", "--from", "*")
    limbo.type("keys", "revoke", limbo.out.strip())
    limbo.type("keys", "create", "--name", "watch", "--scope", "read")
    limbo.mail = mail.id
    return limbo


def _line(name: str, mail: str = "mail") -> list[str]:
    return [*name.split(), *(each.format(mail=mail) for each in ARGUMENTS[name])]


@pytest.mark.parametrize("name", [n for n, command in NAMED.items() if command.prints_json])
def test_json_is_one_document_with_its_times_as_http_has_them(limbo, name):
    assert limbo.type(*_line(name, limbo.mail), "--json") in {0, 1}
    document = json.loads(limbo.out)
    assert isinstance(document, dict)
    if name not in NO_LISTS:
        assert isinstance(document["data"], list)
        assert len(document["data"]) > 0
        assert document["has_more"] is False
    for key, value in _leaves(document):
        if isinstance(value, str) and (key.endswith("_at") or A_TIME.match(value)):
            assert RFC3339.fullmatch(value), (key, value)
        assert not (key.endswith("_at") and isinstance(value, int | float)), key
        assert key not in {"created", "revoked", "time", "at"}


def _leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    match value:
        case dict():
            for name, each in value.items():
                yield from _leaves(each, name)
        case list():
            for each in value:
                yield from _leaves(each, key)
        case _:
            yield key, value


WRONG = {
    "LIMBO_PORT": ("soon", "a whole number from 0 to 65535", ARGUMENTS),
    # health reads where the others listen, and no more: they are what has to stop.
    "LIMBO_RETRY_DELAYS": ("soon", "seconds", [name for name in ARGUMENTS if name != "health"]),
}


@pytest.mark.parametrize(
    ("variable", "name"), [(variable, name) for variable in WRONG for name in WRONG[variable][2]]
)
def test_a_wrong_setting_stops_every_command_with_one_line(tmp_path, variable, name):
    limbo = CommandLine({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db"})
    value, what, _ = WRONG[variable]
    limbo.environ[variable] = value
    assert limbo.type(*_line(name)) == 2
    assert limbo.out == ""
    assert limbo.err.startswith(f"limbo: {variable} must be {what}")
    assert limbo.err.count("\n") == 1


@pytest.mark.parametrize("name", EVERY)
def test_every_command_says_what_it_is_for(name):
    command = EVERY[name]
    assert re.fullmatch(r"[a-z].{3,54}[^.]", command.summary)
    assert re.match(r"[A-Z](.|\n)*[^\s]\Z", command.description)


def test_no_command_is_left_out_above():
    assert set(ARGUMENTS) == set(NAMED)


@pytest.mark.parametrize("name", ["", *EVERY])
def test_every_command_explains_itself(capsys, name):
    with pytest.raises(SystemExit) as raised:
        CommandLine().type(*name.split(), "--help")
    assert raised.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: limbo {name}".strip())
    for command in COMMANDS if not name else ():
        assert command.name in shown


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit):
        CommandLine().type("--version")
    assert capsys.readouterr().out == f"limbo {__version__}\n"


def test_help_loads_nothing_that_only_a_running_limbo_needs():
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"  # a measurement of coverage loads some, too
        "from limbo.entrypoints.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        f"finally:\n    sys.exit(','.join(set({HEAVY}) & (set(sys.modules) - before)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: limbo")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (SettingsError("LIMBO_X must be y"), 2, "limbo: LIMBO_X must be y\n"),
        (QueueUnavailable("gone"), 1, "limbo: gone\n"),
        (LedgerUnavailable("lost"), 1, "limbo: lost\n"),
        (OSError(28, "No space left on device"), 1, "limbo: No space left on device\n"),
        (TimeoutError(), 1, "limbo: TimeoutError\n"),
        (BrokenPipeError(), 1, ""),
        (KeyboardInterrupt(), 1, ""),
    ],
)
def test_what_goes_wrong_ends_in_a_line_and_an_exit_code(error, code, says):
    def run(_: Call) -> int:
        raise error

    command = Command(name="fail", summary="fail", description="Fails.", run=run)
    limbo = CommandLine(commands=[command])
    assert limbo.type("fail") == code
    assert (limbo.out, limbo.err) == ("", says)
