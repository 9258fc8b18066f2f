"""What the logs of real processes show of an address, and how it is found in them."""

import hashlib
import json
import subprocess
import urllib.request

import pytest

from tests.support.processes import LIMBO, Fleet
from tests.support.working import until

ADDRESS = "bob@example.org"
MAIL = {"from": "a@example.com", "to": ADDRESS, "subject": "Hello", "message": "Hi"}


def posted(api):
    """Post a mail; return the line that was logged of it."""
    api.wait_until_ready()
    request = urllib.request.Request(f"{api.url}/v1/mail", json.dumps(MAIL).encode())
    urllib.request.urlopen(request, timeout=20).close()
    until(lambda: any(e["event"] == "mail submitted" for e in api.events()))
    return next(e for e in api.events() if e["event"] == "mail submitted")


@pytest.fixture
def fleet(tmp_path):
    fleet = Fleet(
        tmp_path, {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db", "LIMBO_SENDERS": "fake"}
    )
    yield fleet
    fleet.close()


def test_all_processes_of_an_installation_show_the_hash_that_the_command_tells(fleet):
    shown = {posted(fleet.start("api", name))["to"][0] for name in ("one", "other")}
    told = subprocess.run(
        [*LIMBO, "hash"],
        env=fleet.environ,
        input=ADDRESS,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [*shown] == [told.stdout.strip()]
    assert shown != {hashlib.sha256(ADDRESS.encode()).hexdigest()[:12]}
    [started, _] = [e for e in fleet.events() if e["event"] == "api started"]
    assert started["address_hashes"] == "under this installation's secret"


def test_without_a_database_the_start_line_says_that_hashes_do_not_match(fleet):
    queue = {"LIMBO_QUEUE": "mails", "LIMBO_DEAD_LETTER_QUEUE": "dead", "LIMBO_REGION": "eu-west-1"}
    api = fleet.start("api", "api", {**queue, "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9"})
    api.wait_until_ready()
    until(lambda: any(e["event"] == "api started" for e in api.events()))
    [started] = [e for e in api.events() if e["event"] == "api started"]
    assert "match no other's" in started["address_hashes"]
