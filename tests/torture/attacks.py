"""One bad client: each attack runs in a process of its own, until it is killed.

It is started as ``python -m tests.torture.attacks NAME PORT KEY MAIL_ID``, and asks for nothing
back: what it is answered is for nobody.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress

MIB = 1_048_576
Attack = Callable[["Target"], Coroutine[object, object, None]]


class Target:
    """The api that is attacked, and what the attacker has there: a key, and a mail of its own."""

    def __init__(self, port: int, key: str, mail_id: str) -> None:
        self._port = port
        self._key = key
        self.mail_id = mail_id

    def head(self, line: str, *headers: str, key: bool = True) -> bytes:
        """Return the head of a request, complete but for its last line."""
        own = [f"Authorization: Bearer {self._key}"] if key else []
        return "".join(f"{each}\r\n" for each in (line, "Host: localhost", *own, *headers)).encode()

    def request(self, line: str, body: bytes = b"") -> bytes:
        """Return a whole request."""
        return self.head(f"{line} HTTP/1.1", f"Content-Length: {len(body)}") + b"\r\n" + body

    def mail(self, **fields: object) -> bytes:
        """Return a request that submits a mail."""
        mail = {"from": "me@example.com", "to": "x@example.com", "subject": "s", "message": "m"}
        return self.request("POST /v1/mail", json.dumps(mail | fields).encode())

    async def again_and_again(
        self, requests: list[bytes], *, connections: int, endless: bytes = b""
    ) -> None:
        """Ask on so many connections at once, each for the next when it is answered.

        With ``endless`` nothing is awaited: that is sent behind the request, until it is closed.
        """
        tasks = [self._ask(requests[n:] + requests[:n], endless) for n in range(connections)]
        await asyncio.gather(*tasks)

    async def hold(self, sends: bytes, *, connections: int) -> None:
        """Hold so many connections on which that was sent; open another for each that is closed."""
        await asyncio.gather(*(self._hold(sends) for _ in range(connections)))

    async def _ask(self, requests: list[bytes], endless: bytes) -> None:
        turn = 0
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    while True:
                        writer.write(requests[turn % len(requests)])
                        turn += 1
                        while endless:
                            writer.write(endless)
                            await writer.drain()
                        await _answer(reader)
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.005)

    async def _hold(self, sends: bytes) -> None:
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(sends)
                while await reader.read(MIB):
                    pass
                writer.transport.abort()
            await asyncio.sleep(0.05)


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or 0))
    if b"connection: close" in head:
        raise ConnectionResetError


def _trailers(target: Target) -> Coroutine[object, object, None]:
    head = target.head("GET /health HTTP/1.1", "Transfer-Encoding: chunked", key=False)
    endless = b"X: a\r\n" * 10_000
    return target.again_and_again([head + b"\r\n0\r\n"], connections=4, endless=endless)


def _trailing_headers(target: Target) -> Coroutine[object, object, None]:
    head = target.head("POST /v1/mail HTTP/1.1", "Transfer-Encoding: chunked")
    trailers = b"".join(b"Idempotency-Key: %d\r\n" % number for number in range(2000))
    whole = head + b"\r\n1\r\n{\r\n0\r\n" + trailers + b"\r\n"
    return target.again_and_again([whole], connections=4)


def _refused_mails(target: Target) -> Coroutine[object, object, None]:
    lines = [target.mail(message=f"{n}\n" + "line\n" * 200_000, subject="no") for n in range(4)]
    words = [target.mail(message=f"{n} " + "x" * 1_000_000, subject="no") for n in range(4)]
    return target.again_and_again(lines + words, connections=2)


async def _connections(target: Target) -> None:
    slow_head = target.head("POST /v1/mail HTTP/1.1", key=False)
    sends = (b"", slow_head, target.request("GET /health"))
    await asyncio.gather(*(target.hold(each, connections=1000) for each in sends))


def _addresses(target: Target) -> Coroutine[object, object, None]:
    many = [f"x{n}@{'ü' * 20}{n}.example" for n in range(300)]
    few = [f"x{n}@{'ü' * 20}{n}.example" for n in range(50)]
    return target.again_and_again([target.mail(to=many), target.mail(to=few)], connections=8)


def _long_polls(target: Target) -> Coroutine[object, object, None]:
    poll = target.request(f"GET /v1/mail/{target.mail_id}?wait=10")
    return target.again_and_again([poll], connections=250)


def _searches(target: Target) -> Coroutine[object, object, None]:
    search = "GET /v1/mail?to=many@example.com&limit=100&status="
    requests = [target.request(search + status) for status in ("dead", "sent")]
    return target.again_and_again(requests, connections=16)


def _bodies(target: Target) -> Coroutine[object, object, None]:
    head = target.head("POST /v1/mail HTTP/1.1", f"Content-Length: {MIB}")
    return target.hold(head + b"\r\n" + b" " * (MIB - 1), connections=400)


def _dead_letters(target: Target) -> Coroutine[object, object, None]:
    paths = ["/v1/dead-letters?limit=100", "/v1/dead-letters/causes"]
    return target.again_and_again([target.request(f"GET {path}") for path in paths], connections=8)


ATTACKS: dict[str, Attack] = {
    "B1 trailers without an end, without a key": _trailers,
    "B2 trailers as headers": _trailing_headers,
    "B3 mails of a megabyte that are refused": _refused_mails,
    "B4 3,000 connections, without a key": _connections,
    "B5 300 addresses in a mail": _addresses,
    "B6 250 long polls": _long_polls,
    "B7 searches among many mails": _searches,
    "B8 400 unfinished bodies": _bodies,
    "B9 pages of large dead letters": _dead_letters,
}

if __name__ == "__main__":
    name, port, key, mail_id = sys.argv[1:]
    os.nice(10)  # what it costs the machine is not what it does to limbo
    asyncio.run(ATTACKS[name](Target(int(port), key, mail_id)))
