import asyncio
import contextlib
import io
import json
import logging
import random
import re
import subprocess
import sys
import threading
import time
from contextvars import copy_context
from datetime import datetime

import pytest
import structlog

from limbo.entrypoints.telemetry.log_fields import begin_request, note_request
from limbo.entrypoints.telemetry.logs import configure_logging


@pytest.fixture(autouse=True)
def as_before():
    config, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**config)
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def lines():
    """What was logged since it was last asked for."""
    written = io.BytesIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(written)):
        configure_logging(pretty=False)
        yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_is_an_object_with_its_time_to_the_microsecond(lines):
    before = time.time()
    structlog.get_logger().info("a mail", n=1)
    (line,) = lines()
    stamp = line.pop("timestamp")
    assert line == {"event": "a mail", "n": 1, "level": "info"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", stamp)
    assert before - 0.001 <= datetime.fromisoformat(stamp).timestamp() <= time.time()


def test_the_times_of_lines_do_not_go_back_from_second_to_second(lines):
    log, until = structlog.get_logger(), time.time() + 1.1
    log.info("the first")
    while time.time() < until:
        log.info("x")
        time.sleep(0.001)
    log.info("the last")
    stamps = [line["timestamp"] for line in lines()]
    assert stamps == sorted(stamps)
    assert len({stamp[:19] for stamp in stamps}) > 1


def test_what_is_logged_within_a_request_shows_its_fields_and_those_found_later(lines):
    log = structlog.get_logger()

    def request():
        begin_request(request_id="r")
        log.info("one")
        note_request(client="c")
        log.info("two", client="own")
        log.info("three")

    copy_context().run(request)
    note_request(client="nobody's")
    log.info("outside")
    fields = [(line.get("request_id"), line.get("client")) for line in lines()]
    assert fields == [("r", None), ("r", "own"), ("r", "c"), (None, None)]


def test_what_a_turn_of_the_loop_logs_is_written_in_its_order_right_after_it(lines):
    log = structlog.get_logger()

    async def turns():
        log.info("one")
        await asyncio.to_thread(log.info, "a thread's")
        log.info("two")
        log.info("three")
        before = len(lines())
        await asyncio.sleep(0)
        return before

    assert asyncio.run(turns()) == 2
    log.info("without a loop")
    events = [line["event"] for line in lines()]
    assert events == ["one", "a thread's", "two", "three", "without a loop"]


class SlowFile(io.RawIOBase):
    """Takes up to two milliseconds to write something down."""

    def __init__(self):
        super().__init__()
        self.written = b""

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        time.sleep(random.uniform(0, 0.002))
        self.written += data
        return len(data)


def test_the_lines_of_a_thread_stay_in_their_order_whatever_others_log():
    def write(thread):
        for number in range(100):
            structlog.get_logger().info("x", thread=thread, number=number)

    file, interval = SlowFile(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    with contextlib.redirect_stdout(io.TextIOWrapper(file, write_through=True)):
        configure_logging(pretty=False)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    sys.setswitchinterval(interval)
    lines = [json.loads(line) for line in file.written.splitlines()]
    for thread in range(8):
        assert [x["number"] for x in lines if x["thread"] == thread] == [*range(100)]


def test_what_is_logged_just_before_a_loop_ends_is_not_lost(lines):
    async def last():
        structlog.get_logger().info("last")

    asyncio.run(last())
    asyncio.run(last())
    assert len(lines()) == 2


def test_the_lines_of_libraries_show_the_request_as_well(capsys):
    configure_logging(pretty=False)

    def request():
        begin_request(request_id="r")
        logging.getLogger("botocore").warning("slow")

    copy_context().run(request)
    line = json.loads(capsys.readouterr().out)
    assert (line["event"], line["request_id"], line["level"]) == ("slow", "r", "warning")


@pytest.mark.parametrize("pretty", [False, True])
def test_an_error_is_logged_by_its_type_and_place_and_without_its_text(capsys, pretty):
    def explode():
        raise KeyError("bob@example.org") from ValueError("carol@example.org")

    configure_logging(pretty=pretty)
    try:
        explode()
    except KeyError as error:
        structlog.get_logger().exception("failed", exc_info=error)
        logging.getLogger("uvicorn").exception("failed", exc_info=error)
    written = capsys.readouterr().out
    assert written.count("KeyError") == 2
    assert written.count(" explode") == 2
    assert "example.org" not in written


UNSET = """
import structlog
from limbo.entrypoints.{module} import {name}

def explode():
    subject = "Top Secret"
    raise ValueError("bob@example.org")

{call}
try:
    explode()
except ValueError:
    structlog.get_logger().exception("failed")
"""


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        ("wiring.container", "opened", "opened({}).__enter__()"),
        (
            "http.api.application",
            "observed_application, Metrics",
            "observed_application([], metrics=Metrics(), guard=None)",
        ),
        ("telemetry.logs", "configure_logging", "configure_logging(pretty=True)"),
    ],
)
def test_no_traceback_shows_the_variables_whoever_sets_up_the_logs(module, name, call):
    code = UNSET.format(module=module, name=name, call=call)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    written = ran.stdout + ran.stderr
    assert "failed" in written
    assert " explode" in written
    assert "Secret" not in written
    assert "example.org" not in written


def test_on_a_terminal_a_line_is_readable(capsys):
    configure_logging(pretty=True)
    structlog.get_logger().info("a mail", n=1)
    assert "a mail" in capsys.readouterr().out
