"""The little that a worker serves: its metrics, and whether it lives."""

from starlette.applications import Starlette

from limbo.entrypoints.http import operations as op
from limbo.entrypoints.http.middleware import ObservedApp
from limbo.entrypoints.http.probes import Probes, open_endpoints
from limbo.entrypoints.http.routing import Routes
from limbo.entrypoints.metrics import Metrics
from limbo.ports.queue import QueueDepth


def create_worker_app(*, queue: QueueDepth, metrics: Metrics) -> Starlette:
    """Return the application of a worker's own port."""
    endpoints = open_endpoints(Probes(queue=queue, metrics=metrics, seconds=2.0))
    del endpoints[op.HELLO]
    return ObservedApp(Routes(endpoints), metrics=metrics)
