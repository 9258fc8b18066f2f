"""How the roles start: beside a newer limbo, before their database, and where their files are."""

import contextlib
import json
import signal
import time
import urllib.request

import pytest

from limbo.adapters.sql.database import Dialect
from limbo.adapters.sql.migrations import MIGRATIONS, VERSION, Migration, migrate, schema
from tests.support.postgres import running_postgres
from tests.support.processes import Fleet
from tests.support.sql import open_database

MAIL = {"from": "a@b.example", "to": "c@d.example", "subject": "s", "message": "m"}
TOMORROW = ("ALTER TABLE limbo_queue ADD COLUMN priority integer NOT NULL DEFAULT 0",)
SECONDS = 60


def newer(*, compatible_with):
    """Return the migrations of a limbo of tomorrow."""
    migration = Migration(
        version=VERSION + 1,
        statements=dict.fromkeys(Dialect, TOMORROW),
        compatible_with=compatible_with,
    )
    return [*MIGRATIONS, migration]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/limbo.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path, {"LIMBO_SENDERS": "fake"})
    yield made
    made.close()


def post(api) -> str:
    """Post a mail; return its path."""
    request = urllib.request.Request(f"{api.url}/v1/mail", data=json.dumps(MAIL).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
        return str(answer.headers["location"])


def status(api, path: str) -> str:
    with urllib.request.urlopen(f"{api.url}{path}?wait=20", timeout=60) as answer:
        return str(json.loads(answer.read())["status"])


def test_an_older_process_goes_on_beside_a_newer_one_and_can_be_started_again(fleet, url):
    fleet.environ["LIMBO_QUEUE"] = url
    api, worker = fleet.start("api", "api"), fleet.start("worker", "worker")
    for process in (api, worker):
        process.wait_until_ready()
    assert status(api, post(api)) == "sent"
    with contextlib.closing(open_database(url)) as database:
        migrate(database, migrations=newer(compatible_with=VERSION))
        assert status(api, post(api)) == "sent"
        for process in (api, worker):
            assert process.terminate()[0] == 0
            process.start()
            process.wait_until_ready()
        assert status(api, post(api)) == "sent"
        assert schema(database, database.dialect).version == VERSION + 1


def test_an_older_process_that_the_tables_do_not_admit_says_so_and_ends(fleet, url):
    fleet.environ["LIMBO_QUEUE"] = url
    with contextlib.closing(open_database(url)) as database:
        migrate(database, migrations=newer(compatible_with=VERSION + 1))
    for role in ("api", "worker"):
        process = fleet.start(role, role)
        assert process.wait(SECONDS) == 2
        assert f"version {VERSION + 1}, made by a newer limbo" in process.log()
        assert process.log().count("\n") == 1


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_process_waits_for_a_database_that_starts_later(fleet, role):
    with running_postgres() as server:
        fleet.environ["LIMBO_QUEUE"] = server.new_database()
        server.stop("fast")
        process = fleet.start(role, role)
        wait_for_event(process, "store unavailable")
        assert process.status("/livez") == 0
        server.start()
        process.wait_until_ready()
        assert process.status("/readyz") == 200
        assert process.terminate()[0] == 0


def test_a_process_that_waits_for_its_database_ends_when_told_to(fleet):
    fleet.environ["LIMBO_QUEUE"] = "postgresql://limbo:geheim@127.0.0.1:9/limbo"
    process = fleet.start("worker", "worker")
    wait_for_event(process, "store unavailable")
    process.signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert "geheim" not in process.log()


@pytest.mark.parametrize("role", ["api", "worker"])
def test_the_start_line_names_the_files_in_full(fleet, role, tmp_path):
    files = {"queue_file": f"{tmp_path}/q.db", "ledger_file": f"{tmp_path}/l.db"}
    fleet.environ |= {
        "LIMBO_QUEUE": f"sqlite:///{files['queue_file']}",
        "LIMBO_LEDGER": f"sqlite:///{files['ledger_file']}",
    }
    process = fleet.start(role, role)
    process.wait_until_ready()
    [started] = [e for e in process.events() if e["event"] == f"{role} started"]
    assert {name: started[name] for name in files} == files


def wait_for_event(process, event: str) -> None:
    until = time.monotonic() + SECONDS
    while not any(each["event"] == event for each in process.events()):
        assert time.monotonic() < until, process.tail()
        time.sleep(0.02)
