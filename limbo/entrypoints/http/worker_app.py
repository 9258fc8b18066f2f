"""The little that a worker serves: its metrics, and whether it lives."""

from starlette.applications import Starlette
from starlette.routing import Route

from limbo.entrypoints.http.probes import Probes
from limbo.entrypoints.metrics import Metrics
from limbo.ports.queue import QueueDepth


def create_worker_app(*, queue: QueueDepth, metrics: Metrics) -> Starlette:
    """Return the application of a worker's own port."""
    probes = Probes(queue=queue, metrics=metrics, seconds=2.0)
    return Starlette(
        routes=[
            Route("/health", probes.health),
            Route("/livez", probes.live),
            Route("/readyz", probes.ready),
            Route("/metrics", probes.metrics),
        ]
    )
