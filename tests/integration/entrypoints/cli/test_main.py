"""The command line as a person meets it: real processes, their output and exit codes."""

import json
import os
import subprocess

import pytest

from tests.support.processes import LIMBO, Fleet, free_port
from tests.support.stub_provider import Answer, StubProvider


@pytest.fixture
def limbo(tmp_path):
    """Run the command in an empty folder, with nothing but these settings."""

    def limbo(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        path = {"PATH": os.environ["PATH"], "LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db"}
        return subprocess.run(
            [*LIMBO, *arguments],
            env=path | environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    return limbo


@pytest.mark.parametrize(
    "command", ["", "dev", "api", "worker", "check", "health", "dead-letters", "keys"]
)
def test_every_command_explains_itself(limbo, command):
    shown = limbo(*command.split(), "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"usage: limbo {command}".strip())
    assert len(shown.stdout) > 200


@pytest.mark.parametrize("role", ["dev", "api", "worker", "check"])
def test_a_wrong_setting_stops_the_start_with_one_line(limbo, role):
    ended = limbo(role, LIMBO_RETRY_DELAYS="soon")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("limbo: LIMBO_RETRY_DELAYS must be seconds")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({}, "limbo: LIMBO_SENDERS must name a sender"),
        ({"LIMBO_SENDERS": "fake", "LIMBO_QUEUE": "memory:"}, "limbo: LIMBO_QUEUE must not be"),
        ({"LIMBO_SENDERS": "fake", "LIMBO_LEDGER": "memory:"}, "limbo: LIMBO_LEDGER must not be"),
        ({"LIMBO_SENDERS": "fake", "LIMBO_FAKE_SCRIPT": "boom"}, "limbo: LIMBO_FAKE_SCRIPT must"),
        ({"LIMBO_SENDERS": "fake", "LIMBO_QUEUE": "sqlite:////none/x.db"}, "limbo: "),
        (
            {"LIMBO_SENDERS": "fake", "LIMBO_QUEUE": "postgresql://u:geheim@127.0.0.1:9/x"},
            "limbo: ",
        ),
        ({"LIMBO_SENDERS": "ses", "LIMBO_REGION": "not a region"}, "limbo: LIMBO_REGION"),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_one_line(limbo, environ, line):
    ended = limbo("worker", **environ)
    assert ended.returncode == 2
    assert ended.stderr.startswith(line)
    assert ended.stderr.count("\n") == 1
    assert "geheim" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_a_host_that_is_not_this_machine_is_told(limbo, host):
    ended = limbo("api", LIMBO_SENDERS="fake", LIMBO_HOST=host)
    assert ended.returncode == 2
    assert f"LIMBO_HOST must be an address of this machine: {host}" in ended.stderr


def test_a_port_that_is_taken_is_told(limbo, tmp_path):
    fleet = Fleet(tmp_path, {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/l.db", "LIMBO_SENDERS": "fake"})
    try:
        api = fleet.start("api", "api")
        api.wait_until_ready()
        ended = limbo("api", LIMBO_SENDERS="fake", LIMBO_PORT=str(api.port))
        assert ended.returncode == 2
        assert "LIMBO_PORT" in ended.stderr
        assert limbo("health", LIMBO_PORT=str(api.port)).returncode == 0
    finally:
        fleet.close()


def test_health_fails_when_nobody_listens(limbo):
    ports = {"LIMBO_PORT": str(free_port()), "LIMBO_WORKER_PORT": str(free_port())}
    assert limbo("health", **ports).returncode == 1


def test_check_shows_the_settings_and_tries_each_part(limbo):
    with StubProvider(default=Answer(status=400, body='{"message": "from is missing"}')) as mailgun:
        shown = limbo(
            "check", MAILGUN="key-geheim", DOMAIN="mg.example.com", LIMBO_MAILGUN_URL=mailgun.url
        )
    assert shown.returncode == 0, shown.stdout
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["LIMBO_MAILGUN_KEY", "********", "MAILGUN"] in lines
    assert ["LIMBO_PORT", "8000", "default"] in lines
    assert "queue: ok" in shown.stdout
    assert "ledger: ok" in shown.stdout
    assert "mailgun: ok" in shown.stdout
    assert "geheim" not in shown.stdout + shown.stderr


def test_check_tries_no_ledger_and_no_keys_where_there_are_none(limbo):
    shown = limbo("check", LIMBO_SENDERS="fake", LIMBO_LEDGER="none")
    assert shown.returncode == 0
    assert "ledger: " not in shown.stdout
    assert "keys: " not in shown.stdout


def test_check_fails_for_a_ledger_that_does_not_answer(limbo):
    shown = limbo(
        "check", LIMBO_SENDERS="fake", LIMBO_LEDGER="postgresql://u:geheim@127.0.0.1:9/none"
    )
    assert shown.returncode == 1
    assert "ledger: " in shown.stdout
    assert "ledger: ok" not in shown.stdout
    assert "geheim" not in shown.stdout + shown.stderr


def test_check_fails_when_a_part_does(limbo):
    with StubProvider(default=Answer(status=401, body="Forbidden")) as mailgun:
        shown = limbo(
            "check", MAILGUN="key-geheim", DOMAIN="mg.example.com", LIMBO_MAILGUN_URL=mailgun.url
        )
    assert shown.returncode == 1
    assert "mailgun: 401" in shown.stdout
    assert "geheim" not in shown.stdout + shown.stderr


def test_keys_are_made_listed_and_revoked(limbo):
    made = limbo("keys", "create", "--name", "shop", "--scope", "send", "--from", "@shop.example")
    assert made.returncode == 0
    assert made.stdout.startswith("limbo_")
    [listed] = json.loads(limbo("keys", "list", "--json").stdout)
    assert listed["name"] == "shop"
    assert made.stdout.strip() not in str(listed)
    assert limbo("keys", "revoke", listed["id"]).returncode == 0


def test_keys_can_be_in_a_file(limbo, tmp_path):
    path = tmp_path / "keys.json"
    environ = {"LIMBO_API_KEYS_FILE": str(path), "LIMBO_LEDGER": "none"}
    arguments = ["keys", "create", "--name", "shop", "--scope", "send", "--from", "*"]
    made = limbo(*arguments, **environ)
    assert made.returncode == 0, made.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    assert made.stdout.strip() not in path.read_text()


def test_keys_need_somewhere_to_be(limbo):
    ended = limbo("keys", "list", LIMBO_LEDGER="none")
    assert ended.returncode == 2
    assert ended.stderr.startswith("limbo: LIMBO_API_KEYS_FILE must name a file")
