"""What is asked about limbo rather than of it: health, readiness, metrics."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Generic, TypeVar

import orjson
from starlette.types import Receive, Scope, Send

from limbo.entrypoints.http import operations as op
from limbo.entrypoints.http.answers import Answer
from limbo.entrypoints.http.operation import Operation
from limbo.entrypoints.http.problems import Refused, answer
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
    """The answers for people, orchestrators and Prometheus; none of them calls a provider."""

    def __init__(self, *, queue: QueueDepth, metrics: Metrics, seconds: float) -> None:
        self._depth = SharedCall(queue.depth, cache_seconds=_READY_CACHE_SECONDS)
        self._render = SharedCall(metrics.render)
        self._seconds = seconds

    async def hello(self) -> Answer:
        """Answer as the original limbo did."""
        return _HELLO

    async def health(self) -> Answer:
        """Answer as the original limbo did."""
        return _HEALTH

    async def live(self) -> Answer:
        """Say that the process runs."""
        return _LIVE

    async def ready(self) -> Answer:
        """Say whether the queue answers."""
        try:
            await self._depth.result(self._seconds)
        except Exception:  # noqa: BLE001 - whatever keeps the queue from answering
            raise _no_queue("not ready") from None
        return _READY

    async def metrics(self) -> Answer:
        """Render the metrics; they may ask the queue."""
        try:
            text = await self._render.result(self._seconds)
        except TimeoutError:
            raise _no_queue("no metrics") from None
        return Answer(text, media_type=CONTENT_TYPE.encode())


class OpenEndpoint:
    """An operation that needs no key and asks for nothing, as an ASGI application."""

    def __init__(self, handler: Callable[[], Awaitable[Answer]]) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        try:
            response = await self._handler()
        except Refused as refused:
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


def _no_queue(message: str) -> Refused:
    detail = "the queue does not answer"
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, detail, message=message)


_HELLO = Answer(orjson.dumps({"hello": "world"}))
_HEALTH = Answer(orjson.dumps({"health": "ok"}))
_LIVE = Answer(orjson.dumps({"live": "ok"}))
_READY = Answer(orjson.dumps({"ready": "ok"}))
