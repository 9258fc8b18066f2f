"""Requests about limbo itself: health, readiness, metrics."""

import time
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.entrypoints.http.server.response import OrjsonResponse
from limbo.entrypoints.telemetry.metrics import CONTENT_TYPE, Metrics
from limbo.ports.queue import QueueDepth

_READY_SECONDS = 1.0


class Probes:
    """The handlers for people, orchestrators and Prometheus; none of them calls a provider."""

    def __init__(
        self,
        *,
        queue: QueueDepth,
        metrics: Metrics,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._metrics = metrics
        self._now = now
        self._offload = Offload(threads=2, calls=2, seconds=seconds)
        self._is_ready = False
        self._stale_at = 0.0

    async def hello(self, _: Request) -> Response:
        """Answer as the original limbo did."""
        return OrjsonResponse({"hello": "world"})

    async def health(self, _: Request) -> Response:
        """Answer as the original limbo did."""
        return OrjsonResponse({"health": "ok"})

    async def live(self, _: Request) -> Response:
        """Say that the process runs."""
        return OrjsonResponse({"live": "ok"})

    async def ready(self, _: Request) -> Response:
        """Say whether the queue answers."""
        try:
            is_ready = await self._offload.call(self._ask, key="ready")
        except TimeoutError:
            is_ready = False
        if not is_ready:
            raise _unavailable("not ready", "the queue does not answer")
        return OrjsonResponse({"ready": "ok"})

    def _ask(self) -> bool:
        """Ask the queue, in a thread and at most once a second."""
        if self._now() >= self._stale_at:
            try:
                self._queue.depth()
            except Exception:  # noqa: BLE001 - any error means that the queue does not answer
                self._is_ready = False
            else:
                self._is_ready = True
            self._stale_at = self._now() + _READY_SECONDS
        return self._is_ready

    async def metrics(self, _: Request) -> Response:
        """Render the metrics."""
        try:
            text = await self._offload.call(self._metrics.render, key="metrics")
        except TimeoutError:
            raise _unavailable("no metrics", "they were not gathered in time") from None
        return Response(text, media_type=CONTENT_TYPE)


def _unavailable(message: str, detail: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, message=message)
