"""Puts the HTTP application together; a server is another matter."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from limbo.entrypoints.http import submission
from limbo.entrypoints.http.gather import Gatherer, GatherLimits
from limbo.entrypoints.http.middleware import Observation
from limbo.entrypoints.http.probes import Probes
from limbo.entrypoints.http.submission import Submission
from limbo.entrypoints.metrics import Metrics
from limbo.ports.outbox import Outbox
from limbo.ports.queue import QueueDepth


def create_app(
    *,
    outbox: Outbox,
    queue: QueueDepth,
    metrics: Metrics,
    now: Callable[[], float] = time.time,
    max_body_bytes: int = 1_048_576,
    body_seconds: float = 10.0,
    probe_seconds: float = 2.0,
    gather: GatherLimits | None = None,
) -> Starlette:
    """Return the application; its lifespan must be run, as it owns the thread of the outbox."""
    gatherer = Gatherer(outbox, gather)
    post = Submission(
        gatherer=gatherer,
        metrics=metrics,
        now=now,
        max_body_bytes=max_body_bytes,
        body_seconds=body_seconds,
    )
    probes = Probes(queue=queue, metrics=metrics, seconds=probe_seconds)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with gatherer:
            yield

    app = _Application(
        routes=[
            Route(submission.PATH, post, methods=["POST"]),
            Route("/", probes.hello),
            Route("/health", probes.health),
            Route("/livez", probes.live),
            Route("/readyz", probes.ready),
            Route("/metrics", probes.metrics),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.metrics = metrics
    return app


class _Application(Starlette):
    """Starlette with one middleware, which does what its own two do and more, for less."""

    metrics: Metrics

    def build_middleware_stack(self) -> ASGIApp:
        return Observation(self.router, metrics=self.metrics)
