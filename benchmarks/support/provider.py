"""A provider that accepts each mail after a delay, and remembers when it arrived.

    python -m benchmarks.support.provider PORT MILLISECONDS

GET /arrivals returns the times, in seconds of the machine's monotonic clock, and clears them.
"""

import asyncio
import json
import sys
import time

from benchmarks.support.stub import Reply, Request, serve

_TAKEN = b'{"id": "<20240101.1@mg.example>", "message": "Queued. Thank you."}'


class _Provider:
    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._arrivals: list[float] = []

    def handle(self, request: Request, reply: Reply) -> None:
        if request.path == "/arrivals":
            reply(json.dumps(self._arrivals).encode())
            self._arrivals.clear()
        elif request.path == "/":
            reply(b"{}")
        else:
            self._arrivals.append(time.monotonic())
            asyncio.get_running_loop().call_later(self._delay, reply, _TAKEN)


if __name__ == "__main__":
    serve(_Provider(float(sys.argv[2]) / 1000).handle, int(sys.argv[1]))
