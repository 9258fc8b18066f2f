import http.server
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


def test_nobody_who_listens_is_no_health():
    with reserved_port() as reservation:
        dead = str(reservation.getsockname()[1])
        assert CommandLine({"LIMBO_PORT": dead, "LIMBO_WORKER_PORT": dead}).type("health") == 1
