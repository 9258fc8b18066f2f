"""Posts mails over many connections, as fast as they are answered or at a steady rate.

    python -m benchmarks.support.load PORT CONNECTIONS SECONDS RATE COUNT

RATE 0 is as fast as possible, COUNT 0 no limit. A latency counts from when its request was due, so
that a stall shows in all requests that it delays. Prints JSON; latencies are in ms.
"""

import asyncio
import json
import sys
from collections import deque

MAIL = {
    "from": "Shop <shop@example.org>",
    "to": ["somebody@example.com"],
    "subject": "Your order is on its way",
    "message": "How are you? " * 40,
}
BODY = json.dumps(MAIL).encode()
_REQUEST = (
    b"POST /v1/mail HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
_TICK = 0.001


class _Load:
    """All connections; ``due`` holds the times of the requests that wait for a free one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, rate: float, count: int):
        self.loop = loop
        self.rate = rate
        self.left = count or 10**9
        self.latencies: list[float] = []
        self.errors = 0
        self.free: deque[_Connection] = deque()
        self.due: deque[float] = deque()
        self.busy = 0
        self.started = loop.time()
        self.until = self.started + seconds
        self.done = loop.create_future()
        self._scheduled = 0

    def over(self) -> bool:
        return self.left <= 0 or self.loop.time() >= self.until

    def tick(self) -> None:
        """Make the requests that have become due."""
        now = self.loop.time()
        if self.over():
            self.finish_if_idle()
            return
        while self.started + self._scheduled / self.rate <= now:
            self.due.append(self.started + self._scheduled / self.rate)
            self._scheduled += 1
        while self.due and self.free:
            self.free.popleft().ask(self.due.popleft())
        self.loop.call_later(_TICK, self.tick)

    def answered(self, connection: "_Connection", due: float, *, fine: bool) -> None:
        now = self.loop.time()
        self.latencies.append(now - due)
        self.errors += not fine
        self.busy -= 1
        if self.over():
            self.finish_if_idle()
        elif not self.rate:
            connection.ask(now)
        elif self.due:
            connection.ask(self.due.popleft())
        else:
            self.free.append(connection)

    def finish_if_idle(self) -> None:
        if not self.busy and not self.done.done():
            self.done.set_result(self.loop.time() - self.started)


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._buffer = b""
        self._due = 0.0
        self._asking = False

    def connection_made(self, transport) -> None:
        self._transport = transport

    def ask(self, due: float) -> None:
        self._load.left -= 1
        self._load.busy += 1
        self._due = due
        self._asking = True
        self._transport.write(_REQUEST)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        self._buffer = b""
        self._asking = False
        self._load.answered(self, self._due, fine=head.startswith(b"HTTP/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._asking:
            raise SystemExit(f"the connection was closed during a request: {exc}")


async def _main(port: int, connections: int, seconds: float, rate: float, count: int) -> None:
    loop = asyncio.get_running_loop()
    load = _Load(loop, seconds, rate, count)
    made = [
        (await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    load.started = loop.time()
    load.until = load.started + seconds
    if rate:
        load.free.extend(made)
        load.tick()
    else:
        for connection in made:
            connection.ask(loop.time())
    took = await load.done
    latencies = sorted(load.latencies)
    print(
        json.dumps(
            {
                "count": len(latencies),
                "errors": load.errors,
                "rate": len(latencies) / took,
                "p50": 1e3 * latencies[len(latencies) // 2],
                "p99": 1e3 * latencies[len(latencies) * 99 // 100],
            }
        )
    )


if __name__ == "__main__":
    import uvloop  # missing in benchmarks/.venv, where other programs import BODY from here

    numbers = sys.argv[1:]
    uvloop.run(
        _main(
            int(numbers[0]), int(numbers[1]), float(numbers[2]), float(numbers[3]), int(numbers[4])
        )
    )
