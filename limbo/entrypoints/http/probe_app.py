"""The HTTP application of a worker: its metrics, and whether it lives."""

from starlette.applications import Starlette

from limbo.entrypoints.http.api import operations as op
from limbo.entrypoints.http.api.application import observed_application
from limbo.entrypoints.http.api.probes import Probes
from limbo.entrypoints.http.api.routing import route
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.queue import QueueDepth


def create_worker_app(
    *, queue: QueueDepth, metrics: Metrics, probe_seconds: float = 2.0
) -> Starlette:
    """Return the application of a worker's own port."""
    probes = Probes(queue=queue, metrics=metrics, seconds=probe_seconds)
    routes = [
        route(op.HEALTH, probes.health),
        route(op.LIVE, probes.live),
        route(op.READY, probes.ready),
        route(op.METRICS, probes.metrics),
    ]
    return observed_application(routes, metrics=metrics)
