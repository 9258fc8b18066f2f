"""The command line as a person meets it: real processes, their output and exit codes."""

import json
import os
import subprocess

import pytest

from tests.support.processes import LIMBO, Fleet


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
            timeout=60,
        )

    return limbo


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({}, "limbo: LIMBO_SENDERS must name a sender"),
        ({"LIMBO_SENDERS": "fake", "LIMBO_QUEUE": "memory:"}, "limbo: LIMBO_QUEUE must not be"),
        ({"LIMBO_SENDERS": "fake", "LIMBO_LEDGER": "memory:"}, "limbo: LIMBO_LEDGER must not be"),
        ({"LIMBO_SENDERS": "fake", "LIMBO_FAKE_SCRIPT": "boom"}, "limbo: LIMBO_FAKE_SCRIPT must"),
        ({"LIMBO_SENDERS": "fake", "LIMBO_QUEUE": "sqlite:////none/x.db"}, "limbo: "),
        (
            {"LIMBO_SENDERS": "fake", "LIMBO_QUEUE": "postgresql://u:geheim@[::1/x"},
            "limbo: the database's URL is no valid postgresql://",
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
    ended = limbo("api", LIMBO_SENDERS="fake", LIMBO_ALLOW_ANONYMOUS="true", LIMBO_HOST=host)
    assert ended.returncode == 2
    assert f"LIMBO_HOST must be an address of this machine: {host}" in ended.stderr


def test_a_port_that_is_taken_is_told(limbo, tmp_path):
    fleet = Fleet(tmp_path, {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/l.db", "LIMBO_SENDERS": "fake"})
    try:
        api = fleet.start("api", "api")
        api.wait_until_ready()
        ended = limbo(
            "api", LIMBO_SENDERS="fake", LIMBO_ALLOW_ANONYMOUS="true", LIMBO_PORT=str(api.port)
        )
        assert ended.returncode == 2
        assert "LIMBO_PORT" in ended.stderr
        assert limbo("health", LIMBO_PORT=str(api.port)).returncode == 0
    finally:
        fleet.close()


def test_the_command_hands_its_exit_code_and_its_lines_to_the_shell(limbo):
    assert limbo("migrate").returncode == 0
    made = limbo("keys", "create", "--name", "shop", "--scope", "send", "--from", "@shop.example")
    assert made.returncode == 0
    assert made.stdout.startswith("limbo_")
    note, action = sorted(made.stderr.splitlines(), key=lambda line: line.startswith("{"))
    assert note.startswith("This is the key ")
    assert json.loads(action)["action"] == "keys.create"
    [listed] = json.loads(limbo("keys", "list", "--json").stdout)["data"]
    assert listed["name"] == "shop"
    assert made.stdout.strip() not in str(listed)
    refused = limbo("keys", "list", LIMBO_RETRY_DELAYS="soon")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
