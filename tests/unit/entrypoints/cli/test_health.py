import http.server
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.command_line import CommandLine
from tests.support.processes import reserved_port


@contextmanager
def a_server(status: int) -> Iterator[str]:
    """Serve /livez with this status; yield the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield str(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("name", ["LIMBO_PORT", "LIMBO_WORKER_PORT"])
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_either_role_that_answers_is_health(name, status, code, host):
    with reserved_port() as reservation, a_server(status) as port:
        dead = str(reservation.getsockname()[1])
        environ = {"LIMBO_PORT": dead, "LIMBO_WORKER_PORT": dead, "LIMBO_HOST": host, name: port}
        limbo = CommandLine(environ)
        assert limbo.type("health") == code
    assert (limbo.out, limbo.err) == ("", "")


WITHOUT = """
import sys
from limbo.entrypoints.cli.main import main

code = main(["health"], environ={{"LIMBO_PORT": "{dead}", "LIMBO_WORKER_PORT": "{dead}"}})
print(code, *sys.modules)
"""


def test_it_loads_nothing_that_takes_long():
    """It runs every few seconds; with all of limbo it cost 4 % of a core."""
    with reserved_port() as reservation:
        code = WITHOUT.format(dead=reservation.getsockname()[1])
        # A measurement of coverage loads modules of its own.
        environ = {name: value for name, value in os.environ.items() if "COV" not in name}
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
        )
    exit_code, *loaded = ran.stdout.split()
    assert exit_code == "1"
    libraries = {"dependency_injector", "email_validator", "orjson", "starlette", "structlog"}
    assert not libraries & {*loaded}
    assert not {"asyncio", "hashlib", "http.client", "logging", "ssl", "email"} & {*loaded}
    ours = [name for name in loaded if name.startswith("limbo.")]
    assert not [name for name in ours if re.match(r"limbo\.(adapters|domain\.mail|ports)", name)]


def test_a_mistake_in_a_setting_of_another_part_is_no_illness():
    with a_server(200) as port:
        environ = {"LIMBO_PORT": port, "LIMBO_RETRY_DELAYS": "soon"}
        assert CommandLine(environ).type("health") == 0


@pytest.mark.parametrize("line", [b"", b"200", b"HTTP/1.1 2000 OK\r\n", b"\xff" * 5000])
def test_what_is_no_answer_is_no_health(line):
    with socket.create_server(("127.0.0.1", 0)) as listening, reserved_port() as reservation:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(line)

        thread = threading.Thread(target=serve)
        thread.start()
        port, dead = listening.getsockname()[1], reservation.getsockname()[1]
        environ = {"LIMBO_PORT": str(port), "LIMBO_WORKER_PORT": str(dead)}
        assert CommandLine(environ).type("health") == 1
        thread.join()


def test_nobody_who_listens_is_no_health():
    with reserved_port() as reservation:
        dead = str(reservation.getsockname()[1])
        assert CommandLine({"LIMBO_PORT": dead, "LIMBO_WORKER_PORT": dead}).type("health") == 1
