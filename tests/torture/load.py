"""Clients that post mails to an api, and remember what they were told."""

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Self
from urllib.parse import urlsplit

from tests.support.working import until

_CLIENT_SECONDS = 20.0


class Load:
    """Posts until so many mails are submitted, or for as long as its block lasts.

    A mail that is refused, or not answered, is posted again as a new one: only what was answered
    with "submitted" stands in ``submitted``. ``answers`` are (when it was posted, status), 0 for no
    answer.
    """

    def __init__(
        self,
        url: str,
        *,
        mails: int | None = None,
        clients: int = 4,
        per_second: float | None = None,
        subject: Callable[[int], str] = lambda _: "s",
        message: str = "m",
    ) -> None:
        self.submitted: list[str] = []
        self.answers: list[tuple[float, int]] = []
        self._host = urlsplit(url).netloc
        self._numbers: Iterator[int] = itertools.count() if mails is None else iter(range(mails))
        self._pause = clients / per_second if per_second else 0.0
        self._subject = subject
        self._message = message
        self._stopping = threading.Event()
        self._clients = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Post no more; what is under way is answered first."""
        self._stopping.set()
        self.join(60)

    def join(self, seconds: float) -> None:
        """Wait until all is submitted."""
        until = time.monotonic() + seconds
        for client in self._clients:
            client.join(max(0.0, until - time.monotonic()))
            assert not client.is_alive(), f"submitted {len(self.submitted)} only"

    def await_more(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many more mails are submitted."""
        enough = len(self.submitted) + count
        until(lambda: len(self.submitted) >= enough, seconds)

    def statuses(self, since: float = 0.0) -> Counter[int]:
        """Count the answers by status, to what was posted since then."""
        return Counter(status for posted_at, status in self.answers if posted_at >= since)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=_CLIENT_SECONDS)
        due = time.monotonic()
        while not self._stopping.is_set() and (number := next(self._numbers, None)) is not None:
            while not self._post(connection, number) and not self._stopping.wait(0.05):
                pass
            due = max(due + self._pause, time.monotonic() - self._pause)
            self._stopping.wait(max(0.0, due - time.monotonic()))
        connection.close()

    def _post(self, connection: http.client.HTTPConnection, number: int) -> bool:
        mail = {
            "from": "me@example.com",
            "to": f"you{number}@example.com",
            "subject": self._subject(number),
            "message": self._message,
        }
        posted_at = time.monotonic()
        try:
            connection.request("POST", "/v1/mail", json.dumps(mail))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.answers.append((posted_at, 0))
            return False
        self.answers.append((posted_at, answer.status))
        if answer.status != 200:
            return False
        self.submitted.append(str(answer.headers["Location"]).rpartition("/")[2])
        return True
