"""The HTTP application of a port of its own for probes and metrics: a worker's, or an api's."""

from starlette.applications import Starlette

from limbo.entrypoints.http.api import operations as op
from limbo.entrypoints.http.api.application import observed_application
from limbo.entrypoints.http.api.guard import Guard
from limbo.entrypoints.http.api.hosts import HostPolicy
from limbo.entrypoints.http.api.probes import Probes
from limbo.entrypoints.http.api.routing import route
from limbo.entrypoints.http.server.refusals import Refusals
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.queue import QueueDepth


def create_probe_app(
    *, queue: QueueDepth, metrics: Metrics, hosts: HostPolicy, probe_seconds: float = 2.0
) -> Starlette:
    """Return the application: its metrics, whether the process lives, and whether it is ready."""
    probes = Probes(check=queue.depth, metrics=metrics, seconds=probe_seconds)
    routes = [
        route(op.HEALTH, probes.health),
        route(op.LIVE, probes.live),
        route(op.READY, probes.ready),
        route(op.METRICS, probes.metrics),
    ]
    return observed_application(routes, metrics=metrics, guard=Guard(hosts, Refusals(metrics)))
