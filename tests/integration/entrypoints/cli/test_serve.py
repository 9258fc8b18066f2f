"""When the roles end, and what they leave behind."""

import resource
import signal
import subprocess
import time
import urllib.request
from contextlib import ExitStack, closing

import pytest

from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.delivery.lifecycle import Status
from limbo.ports.ledger_reader import Query
from limbo.ports.outbox import Submission
from tests.support.mails import a_mail
from tests.support.processes import LIMBO, Fleet, reserved_port
from tests.support.server import Connection
from tests.support.working import until


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_process_that_is_told_to_stop_closes_its_database(role, tmp_path):
    database = tmp_path / "limbo.db"
    environ = {"LIMBO_QUEUE": f"sqlite:///{database}", "LIMBO_SENDERS": "fake"}
    fleet = Fleet(tmp_path, environ)
    try:
        process = fleet.start(role, role)
        process.wait_until_ready()
        assert [*tmp_path.glob("limbo.db-*")]
        assert process.terminate()[0] == 0
    finally:
        fleet.close()
    assert not [*tmp_path.glob("limbo.db-*")]


def test_a_process_that_was_paused_goes_on(tmp_path):
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db", "LIMBO_SENDERS": "fake"}
    fleet = Fleet(tmp_path, environ)
    try:
        worker = fleet.start("worker", "worker")
        worker.wait_until_ready()
        worker.signal(signal.SIGSTOP)
        time.sleep(1)
        worker.signal(signal.SIGCONT)
        time.sleep(0.5)
        assert worker.status("/livez") == 200
        assert not [event for event in worker.events() if event["event"] == "stopping"]
        assert worker.terminate()[0] == 0
    finally:
        fleet.close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_signal_stops_a_process_in_order(role, number, tmp_path):
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db", "LIMBO_SENDERS": "fake"}
    fleet = Fleet(tmp_path, environ)
    try:
        process = fleet.start(role, role)
        process.wait_until_ready()
        process.signal(number)
        process.signal(signal.SIGHUP)  # a terminal that is closed may send it twice
        assert process.wait() == 0
        [told] = [event for event in process.events() if event["event"] == "told to stop"]
        assert told["signal"] in (number.name, "SIGHUP")
    finally:
        fleet.close()


def test_a_worker_that_hangs_up_finishes_what_it_sends(tmp_path):
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db", "LIMBO_SENDERS": "fake"}
    fleet = Fleet(tmp_path, {**environ, "LIMBO_FAKE_SCRIPT": "slow(5)*20"})
    with closing(SqliteDatabase.connect(environ["LIMBO_QUEUE"])) as database, closing(fleet):
        SqlOutbox(database).submit([Submission(mail=a_mail()) for _ in range(20)])
        worker = fleet.start("worker", "worker")
        begun = Query(client=None, status=Status.SENDING)
        until(lambda: len(SqlLedger(database).ledger_reader.page(begun)) == 20, 60)
        worker.signal(signal.SIGHUP)
        assert worker.wait() == 0
        depth = SqlQueue(database).depth()
    assert (depth.ready, depth.in_flight, depth.deferred) == (0, 0, 0)
    assert len([event for event in worker.events() if event["event"] == "mail sent"]) == 20


def test_nohup_keeps_a_process_from_hanging_up(tmp_path):
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db", "LIMBO_SENDERS": "fake"}
    fleet = Fleet(tmp_path, environ)
    try:
        api = fleet.start("api", "api", program=("/usr/bin/nohup", *LIMBO))
        api.wait_until_ready()
        api.signal(signal.SIGHUP)
        time.sleep(0.5)
        assert api.status("/livez") == 200
        assert api.terminate()[0] == 0
    finally:
        fleet.close()


def test_a_command_closes_its_database(tmp_path):
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db"}
    subprocess.run([*LIMBO, "migrate"], env=environ, check=True, timeout=60)
    subprocess.run([*LIMBO, "keys", "list"], env=environ, check=True, timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == ["limbo.db"]


@pytest.mark.parametrize("role", ["api", "worker"])
def test_a_process_may_have_as_many_files_open_as_its_hard_limit_says(role, tmp_path):
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db", "LIMBO_SENDERS": "fake"}
    program = ("prlimit", "--nofile=200:300", *LIMBO)
    with closing(Fleet(tmp_path, environ)) as fleet:
        process = fleet.start(role, role, program=program)
        process.wait_until_ready()
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (300, 300)


def test_no_connection_is_reset_where_few_files_may_be_open(tmp_path):
    """More connections than files: all that are not answered are counted, and one line says so."""
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db", "LIMBO_SENDERS": "fake"}
    program = ("prlimit", "--nofile=200:300", *LIMBO)
    with closing(Fleet(tmp_path, environ)) as fleet, ExitStack() as stack:
        api = fleet.start("api", "api", program=program)
        api.wait_until_ready()
        address = ("127.0.0.1", api.port)
        held = [stack.enter_context(Connection(address)) for _ in range(400)]
        assert [api.status(path) for path in ("/livez", "/readyz", "/health")] == [200] * 3
        assert api.metric('limbo_http_refused_total{kind="idle"}') >= 200
        lines = [event for event in api.events() if event["event"] == "refused"]
        assert [line["kind"] for line in lines[:1]] == ["idle"]
        assert held[0].is_closed()


def test_metrics_may_have_a_port_of_their_own(tmp_path):
    with closing(reserved_port()) as reservation:
        port = reservation.getsockname()[1]
        environ = {
            "LIMBO_QUEUE": "memory:",
            "LIMBO_SENDERS": "fake",
            "LIMBO_METRICS_PORT": str(port),
        }
        with closing(Fleet(tmp_path, environ)) as fleet:
            dev = fleet.start("dev", "dev")
            dev.wait_until_ready()
            assert dev.status("/metrics") == 404
            until(lambda: "Metrics are on" in dev.log())
            assert f"Metrics are on http://127.0.0.1:{port}/metrics." in dev.log()
            for path in ("metrics", "livez", "readyz", "health"):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as reply:
                    assert reply.status == 200


def test_an_api_on_loopback_answers_for_no_foreign_host(tmp_path):
    environ = {
        "LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db",
        "LIMBO_SENDERS": "fake",
        "LIMBO_ALLOWED_HOSTS": "mail.example",
    }
    with closing(Fleet(tmp_path, environ)) as fleet:
        for role in ("api", "worker"):
            process = fleet.start(role, role)
            process.wait_until_ready()
            asked = (b"mail.example", b"localhost:1", b"evil.example")
            with Connection(("127.0.0.1", process.port)) as connection:
                replies = [
                    connection.send(b"GET /livez HTTP/1.1\r\nHost: %b\r\n\r\n" % host).answer()[0]
                    for host in asked
                ]
            assert replies == [200, 200, 421]
