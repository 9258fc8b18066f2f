"""What an api answers, and what it leaves behind, when its SQLite file or the disk is at fault."""

import contextlib
import json
import shutil
import signal
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import Fleet, LimboProcess

MAIL = {"from": "a@example.org", "to": ["b@example.org"], "subject": "s", "message": "m"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "limbo.db"


@pytest.fixture
def fleet(tmp_path: Path, path: Path) -> Iterator[Fleet]:
    environ = {
        "LIMBO_QUEUE": f"sqlite:///{path}",
        "LIMBO_SENDERS": "fake",
        "LIMBO_ALLOW_ANONYMOUS": "true",
    }
    with contextlib.closing(Fleet(tmp_path, environ)) as opened:
        yield opened


@pytest.fixture
def api(fleet: Fleet) -> LimboProcess:
    process = fleet.start("api", "api")
    process.wait_until_ready()
    return process


def post(api: LimboProcess) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(f"{api.url}/v1/mail", json.dumps(MAIL).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def named(api: LimboProcess, event: str) -> list[str]:
    return [str(each.get("level")) for each in api.events() if each.get("event") == event]


def test_a_copy_of_the_file_after_a_clean_stop_has_all_mails(api, path):
    with contextlib.closing(sqlite3.connect(path)) as other:  # then SQLite keeps the log
        other.execute("SELECT count(*) FROM limbo_queue").fetchall()
        assert [post(api)[0] for _ in range(5)] == [200] * 5
        code, _ = api.terminate()
        shutil.copy(path, path.with_name("copy.db"))
    with contextlib.closing(sqlite3.connect(path.with_name("copy.db"))) as copy:
        assert copy.execute("SELECT count(*) FROM limbo_queue").fetchall() == [(5,)]
    assert code == 0


def test_no_mail_is_submitted_into_a_file_that_was_deleted(api, path):
    assert (post(api)[0], api.status("/readyz")) == (200, 200)
    away = path.rename(path.with_name("away.db"))
    assert [post(api)[0] for _ in range(3)] == [503] * 3
    until(lambda: api.status("/readyz") == 503)
    assert api.status("/livez") == 200
    for event in ("queue unavailable", "not ready"):  # a line may come after its answer
        until(lambda event=event: named(api, event) == ["error"])
    away.rename(path)
    until(lambda: api.status("/readyz") == 200)
    assert post(api)[0] == 200
    for event in ("queue available", "ready again"):
        until(lambda event=event: named(api, event) == ["info"])


def test_a_mail_whose_commit_did_not_reach_the_disk_is_answered_as_unknown(fleet, path):
    trigger = path.with_name("fail")
    program = (sys.executable, "-m", "tests.support.failing_disk", str(trigger))
    api = fleet.start("api", "api", program=program)
    api.wait_until_ready()
    assert post(api)[0] == 200
    trigger.touch()
    until(trigger.with_suffix(".done").exists)
    status, body = post(api)
    assert (status, body["Message"]) == (504, "unknown")
    assert post(api)[0] == 503, "nothing is written before the log is renewed"
    until(lambda: api.status("/readyz") == 503)
    api.signal(signal.SIGKILL)


def test_a_full_disk_is_not_ready(fleet, path):
    reserve = shutil.disk_usage(path.parent).total
    program = (sys.executable, "-m", "tests.torture.small_disk", "8388608")
    assert reserve > 8388608
    api = fleet.start("api", "api", program=program)
    api.wait_until_ready()
    until(lambda: api.status("/readyz") == 503)
    assert post(api)[0] == 503
