"""A provider that speaks Mailgun's HTTP, takes thousands of mails, and keeps account of each."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Self
from urllib.parse import parse_qs

import uvloop

from tests.support.working import until

_HANG_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Accept:
    """Take the mail, and say so after so many seconds."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with that status, without taking the mail."""

    status: int


class Vanish(Enum):
    """Take the mail, and never say so."""

    RESET = "reset"
    HANG = "hang"


Reply = Accept | Refuse | Vanish


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One mail posted once; ``domain`` tells who posted it, ``nth`` counts the mail's calls."""

    domain: str
    mail_id: str
    subject: str
    at: float
    nth: int


Behaviour = Callable[[Call], Reply]


class Provider:
    """The server; a context manager. ``behave`` decides what becomes of each call."""

    def __init__(self) -> None:
        self.behave: Behaviour = lambda _: Accept()
        self.calls: list[tuple[Call, Reply]] = []
        self.deliveries: Counter[str] = Counter()
        self.calls_of: Counter[str] = Counter()
        self.url = ""
        self._seen: Counter[str] = Counter()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def await_deliveries(self, count: float, seconds: float = 60.0) -> None:
        """Wait until so many mails have been taken."""
        until(lambda: len(self.deliveries) >= count, seconds)

    @property
    def doubles(self) -> int:
        """How many deliveries were one too many."""
        return self.deliveries.total() - len(self.deliveries)

    @property
    def doubled(self) -> set[str]:
        """The ids of the mails that were delivered more than once."""
        return {mail_id for mail_id, count in self.deliveries.items() if count > 1}

    @property
    def refused(self) -> set[str]:
        """The ids of the mails that were refused at least once."""
        return {call.mail_id for call, reply in self.calls if isinstance(reply, Refuse)}

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        await self._stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # whoever called was killed or gave up, or this is the end
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; return whether another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        call = self._call(head[0], parse_qs(body.decode()))
        reply = self.behave(call)
        self.calls.append((call, reply))
        self.calls_of[call.domain] += 1
        if not isinstance(reply, Refuse):
            self.deliveries[call.mail_id] += 1
        match reply:
            case Accept(seconds=seconds):
                if seconds:
                    await asyncio.sleep(seconds)
                writer.write(_response(200, b'{"id": "<1@mg.example>", "message": "Queued."}'))
            case Refuse(status=status):
                writer.write(_response(status, b'{"message": "no"}'))
            case Vanish.HANG:
                await asyncio.wait([asyncio.ensure_future(reader.read(1))], timeout=_HANG_SECONDS)
                return False
            case Vanish.RESET:
                return False
        await writer.drain()
        return True

    def _call(self, first: str, form: dict[str, list[str]]) -> Call:
        mail_id = form["v:limbo_id"][0]
        self._seen[mail_id] += 1
        return Call(
            domain=first.split()[1].split("/")[2],
            mail_id=mail_id,
            subject=form["subject"][0],
            at=time.monotonic(),
            nth=self._seen[mail_id],
        )


def _response(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
