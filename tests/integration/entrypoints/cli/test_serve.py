"""When the roles end, and what they leave behind."""

import signal
import subprocess
import time

import pytest

from tests.support.processes import LIMBO, Fleet


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


def test_a_command_closes_its_database(tmp_path):
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db"}
    subprocess.run([*LIMBO, "keys", "list"], env=environ, check=True, timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == ["limbo.db"]
