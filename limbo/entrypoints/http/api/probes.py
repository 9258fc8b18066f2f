"""What is asked about limbo rather than of it: health, readiness, metrics."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import orjson
from starlette.types import Receive, Scope, Send

from limbo.entrypoints.http.api import operations as op
from limbo.entrypoints.http.api.operation import Operation
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import HttpRefusal, answer
from limbo.entrypoints.http.server.response import Response
from limbo.entrypoints.telemetry.metrics import CONTENT_TYPE, Metrics
from limbo.ports.queue import QueueDepth

_READY_SECONDS = 1.0


class Probes:
    """The answers for people, orchestrators and Prometheus; none of them calls a provider."""

    def __init__(self, *, queue: QueueDepth, metrics: Metrics, seconds: float) -> None:
        self._queue = queue
        self._metrics = metrics
        self._offload = Offload(threads=2, calls=2, seconds=seconds)
        self._is_ready = False
        self._stale_at = 0.0

    async def hello(self) -> Response:
        """Answer as the original limbo did."""
        return _HELLO

    async def health(self) -> Response:
        """Answer as the original limbo did."""
        return _HEALTH

    async def live(self) -> Response:
        """Say that the process runs."""
        return _LIVE

    async def ready(self) -> Response:
        """Say whether the queue answers."""
        try:
            is_ready = await self._offload.call(self._ask, key="ready")
        except TimeoutError:
            is_ready = False
        if not is_ready:
            raise _unavailable("not ready", "the queue does not answer")
        return _READY

    def _ask(self) -> bool:
        """Ask the queue, in a thread and at most once a second."""
        if time.monotonic() >= self._stale_at:
            try:
                self._queue.depth()
            except Exception:  # noqa: BLE001 - whatever keeps the queue from answering
                self._is_ready = False
            else:
                self._is_ready = True
            self._stale_at = time.monotonic() + _READY_SECONDS
        return self._is_ready

    async def metrics(self) -> Response:
        """Render the metrics."""
        try:
            text = await self._offload.call(self._metrics.render, key="metrics")
        except TimeoutError:
            raise _unavailable("no metrics", "they were not gathered in time") from None
        return Response(text, media_type=CONTENT_TYPE.encode())


class OpenEndpoint:
    """An operation that needs no key and asks for nothing, as an ASGI application."""

    def __init__(self, handler: Callable[[], Awaitable[Response]]) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what the handler returns, or why it does not."""
        try:
            response = await self._handler()
        except HttpRefusal as refused:
            response = answer(refused, scope)
        await response(scope, receive, send)


def open_endpoints(probes: Probes) -> dict[Operation, OpenEndpoint]:
    """Return who answers which operation."""
    return {
        op.HELLO: OpenEndpoint(probes.hello),
        op.HEALTH: OpenEndpoint(probes.health),
        op.LIVE: OpenEndpoint(probes.live),
        op.READY: OpenEndpoint(probes.ready),
        op.METRICS: OpenEndpoint(probes.metrics),
    }


def _unavailable(message: str, detail: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, message=message)


_HELLO = Response(orjson.dumps({"hello": "world"}))
_HEALTH = Response(orjson.dumps({"health": "ok"}))
_LIVE = Response(orjson.dumps({"live": "ok"}))
_READY = Response(orjson.dumps({"ready": "ok"}))
