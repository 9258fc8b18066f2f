"""The HTTP application over an outbox that does what a test tells it."""

import asyncio
import dataclasses
import json
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from httpx2 import Response
from starlette.applications import Starlette
from starlette.testclient import TestClient

from limbo.domain.access.api_key import KeyScope
from limbo.domain.errors import QueueUnavailable
from limbo.domain.mail.mail import Mail
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.api.hosts import HostPolicy
from limbo.entrypoints.http.app import HttpLimits, create_app
from limbo.entrypoints.telemetry.audit import Audit
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.outbox import Submission, SubmitResult
from limbo.ports.queue import Depth, Kept

MAIL = {
    "subject": "Hello",
    "message": "How are you?",
    "to": ["bob@example.org"],
    "from": "Alice <alice@example.com>",
}
BODY = json.dumps(MAIL).encode()
ANY_HOST = HostPolicy(listens_on="0.0.0.0")
NOW = 1_700_000_000.25


class ScriptedOutbox:
    """Keeps what it is given, unless told otherwise; ``gate`` holds it up while cleared."""

    def __init__(self) -> None:
        self.calls: list[Sequence[Submission]] = []
        self.answer: Callable[[Mail], SubmitResult] = lambda _: Kept()
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    @property
    def mails(self) -> list[Mail]:
        return [submission.mail for submission in self.submissions]

    @property
    def submissions(self) -> list[Submission]:
        return [submission for call in self.calls for submission in call]

    def submit(self, submissions: Sequence[Submission]) -> list[SubmitResult]:
        self.calls.append(submissions)
        self.gate.wait(30)
        if self.error is not None:
            raise self.error
        return [self.answer(submission.mail) for submission in submissions]


class ScriptedDepth:
    """A queue that answers how full it is, or does not, as told."""

    def __init__(self) -> None:
        self.asked = 0
        self.up = True
        self.gate = threading.Event()
        self.gate.set()
        self.dead: dict[str, int] = {}

    def check_put(self) -> None:
        self.depth()

    def depth(self) -> Depth:
        self.asked += 1
        self.gate.wait(30)
        if not self.up:
            raise QueueUnavailable
        return Depth(ready=0, in_flight=0, deferred=0, oldest_age=0.0, dead=self.dead)


_LIMITS = {field.name for field in dataclasses.fields(HttpLimits)}


class HttpApp:
    """An application with its parts at hand.

    ``ask`` makes one request as a client, and ``run`` gives a coroutine the running app.

    Anybody may do anything, unless ``access`` says otherwise.
    """

    def __init__(self, **options: Any) -> None:
        self.outbox = ScriptedOutbox()
        self.queue = ScriptedDepth()
        self.metrics = options.pop("metrics", None) or Metrics()
        limits = {name: options.pop(name) for name in _LIMITS & options.keys()}
        parts = {
            "outbox": self.outbox,
            "readiness": self.queue,
            "hosts": ANY_HOST,
            "audit": Audit(None, lambda: NOW),
            "access": Access(None, anonymous_scopes=KeyScope),
            "now": lambda: NOW,
        }
        self.app = create_app(
            metrics=self.metrics, limits=HttpLimits(**limits), **{**parts, **options}
        )

    def run(self, use: Callable[[Starlette], Coroutine[Any, Any, Any]]) -> Any:
        async def within_lifespan() -> Any:
            async with self.app.router.lifespan_context(self.app):
                return await use(self.app)

        return asyncio.run(within_lifespan())

    def client(self) -> TestClient:
        """Return a client that raises what the application does; entering it runs the lifespan."""
        return TestClient(self.app, follow_redirects=False)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Make one request of the running application."""
        raw = {name: value.encode("latin-1") for name, value in (headers or {}).items()}
        with self.client() as client:
            return client.request(method, path, content=body, headers=raw)

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0
