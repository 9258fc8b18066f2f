"""The metrics of one process, by prometheus-client."""

import time
from collections.abc import Callable, Collection, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from limbo import __version__
from limbo.domain.access.api_key import KeyScope
from limbo.domain.delivery.breaker import BreakerState
from limbo.domain.delivery.verdict import Fault
from limbo.entrypoints.telemetry.collectors import BreakerCollector, QueueCollector
from limbo.ports.queue import QueueDepth

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SEND_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_DELIVERY_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 21600, 86400)


class Metrics:
    """The metrics of one process, in a registry of their own.

    Whoever counts by labels asks beforehand for all that can occur: each starts at 0, or else an
    alert on its increase would not see the first event.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus-client has no types; _created doubles the series
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.mails_submitted = Counter(
            "limbo_mails_submitted",
            "Mails posted by clients, by what they were answered.",
            ["outcome"],
            registry=self.registry,
        )
        self.http_requests = Counter(
            "limbo_http_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.http_duration = Histogram(
            "limbo_http_request_duration_seconds",
            "Time from a request's first byte to its answer.",
            ["route"],
            buckets=_HTTP_BUCKETS,
            registry=self.registry,
        )
        self.http_refused = Counter(
            "limbo_http_refused",
            "Connections and requests refused, or closed while idle, to protect others, by why.",
            ["kind"],
            registry=self.registry,
        )
        self.send_attempts = Counter(
            "limbo_send_attempts",
            "Calls of providers, by accepted or the fault.",
            ["sender", "outcome"],
            registry=self.registry,
        )
        self.send_duration = Histogram(
            "limbo_send_duration_seconds",
            "Time a provider took to answer.",
            ["sender"],
            buckets=_SEND_BUCKETS,
            registry=self.registry,
        )
        self.mails_settled = Counter(
            "limbo_mails_settled",
            "Touches of mails, by what followed: sent, deferred, dead, or why it was stopped.",
            ["outcome"],
            registry=self.registry,
        )
        self.delivery_latency = Histogram(
            "limbo_delivery_latency_seconds",
            "Time from a mail's submission to its acceptance by a provider.",
            buckets=_DELIVERY_BUCKETS,
            registry=self.registry,
        )
        self._anonymous = Gauge(
            "limbo_anonymous_access",
            "Whether anybody may use the api without an API key, by scope.",
            ["scope"],
            registry=self.registry,
        )
        build = Gauge(
            "limbo_build_info", "The version that runs.", ["version"], registry=self.registry
        )
        build.labels(__version__).set(1)

    def show_anonymous(self, scopes: Collection[KeyScope]) -> None:
        """Show what anybody may do without an API key."""
        for scope in KeyScope:
            self._anonymous.labels(scope.value).set(scope in scopes)

    def watch_queue(self, queue: QueueDepth, *, now: Callable[[], float] = time.monotonic) -> None:
        """Show the depth of the queue, and its dead letters by cause."""
        self.registry.register(QueueCollector(queue, now=now))

    def watch_breakers(self, states: Callable[[], Mapping[str, BreakerState]]) -> None:
        """Show the state of each provider's breaker, and count all of its verdicts from 0."""
        for sender in states():
            self.send_duration.labels(sender)
            for outcome in ("accepted", *(fault.value for fault in Fault)):
                self.send_attempts.labels(sender, outcome)
        self.registry.register(BreakerCollector(states))

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format; may wait a second for the queue."""
        return generate_latest(self.registry)
