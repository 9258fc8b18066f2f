"""A good client beside a bad one: what it waits for, and what it is answered."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Self

_MAIL = {"from": "me@example.com", "to": "you@example.com", "subject": "s", "message": "m"}
_PAUSE = 0.02


class Neighbour:
    """Posts a mail, reads its status, and asks /livez, again and again while its block lasts.

    ``posts`` and ``reads`` are how many seconds each took; ``statuses`` what all were answered, 0
    for no answer.
    """

    def __init__(self, port: int, key: str) -> None:
        self.posts: list[float] = []
        self.reads: list[float] = []
        self.statuses: Counter[int] = Counter()
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}"}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(60)

    def run_for(self, seconds: float) -> Self:
        """Go on for so many seconds."""
        with self:
            time.sleep(seconds)
        return self

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stopping.wait(_PAUSE):
            location = self._ask(connection, "POST", "/v1/mail", self.posts, json.dumps(_MAIL))
            if location:
                self._ask(connection, "GET", location, self.reads)
            self._ask(connection, "GET", "/livez", [])
        connection.close()

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        seconds: list[float],
        body: str | None = None,
    ) -> str:
        began, status, location = time.monotonic(), 0, ""
        try:
            connection.request(method, path, body, self._headers)
            with connection.getresponse() as answer:
                answer.read()
                status, location = answer.status, answer.headers.get("Location", "")
        except (OSError, http.client.HTTPException):
            connection.close()
        seconds.append(time.monotonic() - began)
        self.statuses[status] += 1
        return location


def p99(seconds: Sequence[float]) -> float:
    """Return the 99th percentile, in milliseconds."""
    return sorted(seconds)[int(0.99 * (len(seconds) - 1))] * 1000 if seconds else float("inf")
