"""A provider on this machine: a real HTTP server that answers, or fails, as it is told.

As a program it plays Mailgun, and prints its address:

    python -m tests.support.stub_provider [port]

GET /_requests shows the bodies it was sent, and POST /_script takes a list of answers
([{"status": 400, "body": "…"}]) for the requests that follow.
"""

import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qsl

from tests.support.decoded import everything_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back: after ``delay`` seconds, and one byte every ``drip`` seconds if set."""

    status: int = 200
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    early: bool = False
    """Answer and close without reading the body."""
    close: bool = False
    """Close after the answer, without a word of it."""
    cut: int | None = None
    """Send this many bytes of head and body alone, and close."""
    then: "Answer | None" = None
    """What follows on the same connection, whatever is asked in between."""


class Behaviour(Enum):
    """What a broken provider does instead of answering."""

    HANG = "takes the request and is silent"
    RESET = "takes the request and resets the connection"
    CUT = "sends half an answer and closes"
    GARBLE = "takes the request, and answers over TLS what is no TLS"
    CLOSE = "resets the connection without reading the body"


MAILGUN_OK = Answer(body='{"id": "<20240101.1@mg.example>", "message": "Queued. Thank you."}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> list[tuple[str, str]]:
        return parse_qsl(self.body.decode(), keep_blank_values=True)


class StubProvider:
    """The server; a context manager. ``requests`` and ``connections`` tell what came in.

    ``sent`` is how many bytes the last answer has as a whole.
    """

    def __init__(
        self,
        default: Answer | Behaviour = MAILGUN_OK,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.default = default
        self.requests: list[Request] = []
        self.connections = 0
        self.sent = 0
        self.closing = threading.Event()
        self._script: deque[Answer | Behaviour] = deque()
        self._server = _Server(("127.0.0.1", port), self._handle, False)  # noqa: FBT003
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._server.server_bind()
        self._server.server_activate()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"

    def script(self, *answers: Answer | Behaviour) -> None:
        """Set what becomes of the next requests; after these, ``default``."""
        self._script = deque(answers)

    def received(self) -> str:
        """Return all the texts of the last request's body, decoded."""
        return everything_in(self.requests[-1].body)

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def next_answer(self) -> Answer | Behaviour:
        try:
            return self._script.popleft()
        except IndexError:
            return self.default

    def _handle(self, *args) -> None:
        _Handler(self, *args)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):  # the client gave up first
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, stub: StubProvider, *args) -> None:
        self.stub = stub
        super().__init__(*args)

    def setup(self) -> None:
        super().setup()
        self.stub.connections += 1

    def do_GET(self) -> None:
        if self.path == "/_requests":
            bodies = [dict(request.form) for request in self.stub.requests]
            self._answer(Answer(body=json.dumps(bodies)))
        else:
            self._serve()

    def do_POST(self) -> None:
        if self.path == "/_script":
            self.stub.script(*(Answer(**item) for item in json.loads(self._read())))
            self._answer(Answer())
        else:
            self._serve()

    def _serve(self) -> None:
        answer = self.stub.next_answer()
        unread = answer is Behaviour.CLOSE or (isinstance(answer, Answer) and answer.early)
        self.stub.requests.append(
            Request(
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=b"" if unread else self._read(),
            )
        )
        if isinstance(answer, Answer):
            self._answer(answer)
        else:
            self._fail(answer)

    def log_message(self, *args) -> None:
        pass

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, answer: Answer) -> None:
        self.stub.closing.wait(answer.delay)
        body = answer.body.encode() if isinstance(answer.body, str) else answer.body
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('Odd',))[0]}"]
        lines += [f"{name}: {value}" for name, value in (headers | answer.headers).items()]
        whole = "\r\n".join([*lines, "", ""]).encode() + body
        self.stub.sent = len(whole)
        self._write(whole[: answer.cut], answer.drip)
        if answer.early:
            self.connection.shutdown(socket.SHUT_WR)
            time.sleep(0.1)
        if answer.then:
            self._answer(answer.then)
            return
        cut = answer.cut is not None
        self.close_connection = answer.early or answer.close or cut or bool(answer.drip)

    def _write(self, data: bytes, drip: float) -> None:
        if not drip:
            self.wfile.write(data)
            return
        for byte in data:
            if self.stub.closing.wait(drip):
                return
            self.wfile.write(bytes([byte]))

    def _fail(self, behaviour: Behaviour) -> None:
        self.close_connection = True
        match behaviour:
            case Behaviour.HANG:
                self.stub.closing.wait(60)
            case Behaviour.CUT:
                self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id": "<1@mg')
            case Behaviour.GARBLE:
                with socket.socket(fileno=os.dup(self.connection.fileno())) as plain:
                    plain.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            case Behaviour.RESET | Behaviour.CLOSE:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.rfile.close()
                self.connection.close()


def main() -> None:
    stub = StubProvider(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    sys.stdout.write(f"{stub.url}\n")
    sys.stdout.flush()
    stub.serve()


if __name__ == "__main__":
    main()
