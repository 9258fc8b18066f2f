"""The little that a worker serves: its metrics, and whether it lives."""

from starlette.applications import Starlette

from limbo.entrypoints.http.api import operations as op
from limbo.entrypoints.http.api.middleware import ObservedApp
from limbo.entrypoints.http.api.probes import Probes, open_endpoints
from limbo.entrypoints.http.api.routing import Routes
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.queue import QueueDepth


def create_worker_app(*, queue: QueueDepth, metrics: Metrics) -> Starlette:
    """Return the application of a worker's own port."""
    endpoints = open_endpoints(Probes(queue=queue, metrics=metrics, seconds=2.0))
    del endpoints[op.HELLO]
    return ObservedApp(Routes(endpoints), metrics=metrics)
