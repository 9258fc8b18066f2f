"""What is asked about limbo rather than of it: health, readiness, metrics."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from limbo.entrypoints.metrics import CONTENT_TYPE, Metrics
from limbo.ports.queue import QueueDepth

T = TypeVar("T")
_READY_CACHE_SECONDS = 1.0


class SharedCall(Generic[T]):
    """Calls a function that may block, in a thread, once for all who ask at the same time.

    The thread is a daemon: a call that hangs holds up neither the event loop nor the exit.
    """

    def __init__(self, function: Callable[[], T], *, cache_seconds: float = 0.0) -> None:
        self._function = function
        self._cache_seconds = cache_seconds
        self._call: asyncio.Future[T] | None = None
        self._stale_at = 0.0

    async def result(self, seconds: float) -> T:
        """Return what the function returns; raises what it raises, or TimeoutError."""
        loop = asyncio.get_running_loop()
        if self._call is None or (self._call.done() and loop.time() >= self._stale_at):
            self._call = self._start(loop)
        async with asyncio.timeout(seconds):
            return await asyncio.shield(self._call)

    def _start(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[T]:
        call: asyncio.Future[T] = loop.create_future()
        call.add_done_callback(asyncio.Future.exception)  # seen, even if all who asked are gone

        def settle(result: T | None, error: Exception | None) -> None:
            self._stale_at = loop.time() + self._cache_seconds
            if error is not None:
                call.set_exception(error)
            else:
                call.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            try:
                outcome: tuple[T | None, Exception | None] = (self._function(), None)
            except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
                outcome = (None, error)
            try:
                loop.call_soon_threadsafe(settle, *outcome)
            except RuntimeError:  # the loop was closed meanwhile
                return

        threading.Thread(target=run, daemon=True).start()
        return call


class Probes:
    """The endpoints for people, orchestrators and Prometheus; none of them calls a provider."""

    def __init__(self, *, queue: QueueDepth, metrics: Metrics, seconds: float) -> None:
        self._depth = SharedCall(queue.depth, cache_seconds=_READY_CACHE_SECONDS)
        self._render = SharedCall(metrics.render)
        self._seconds = seconds

    async def hello(self, _: Request) -> Response:
        """Answer as the original limbo did."""
        return JSONResponse({"hello": "world"})

    async def health(self, _: Request) -> Response:
        """Answer as the original limbo did."""
        return JSONResponse({"health": "ok"})

    async def live(self, _: Request) -> Response:
        """Say that the process runs."""
        return JSONResponse({"live": "ok"})

    async def ready(self, _: Request) -> Response:
        """Say whether the queue answers."""
        try:
            await self._depth.result(self._seconds)
        except Exception:  # noqa: BLE001 - whatever keeps the queue from answering
            body = {"Message": "not ready", "Problem": "the queue does not answer"}
            return JSONResponse(body, status_code=503)
        return JSONResponse({"ready": "ok"})

    async def metrics(self, _: Request) -> Response:
        """Render the metrics; they may ask the queue."""
        try:
            text = await self._render.result(self._seconds)
        except TimeoutError:
            body = {"Message": "no metrics", "Problem": "the queue does not answer"}
            return JSONResponse(body, status_code=503)
        return Response(text, headers={"Content-Type": CONTENT_TYPE})
