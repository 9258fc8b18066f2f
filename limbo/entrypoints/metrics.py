"""The metrics of one process, by prometheus-client."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from limbo import __version__
from limbo.domain.errors import QueueUnavailable
from limbo.domain.health import BreakerState
from limbo.ports.queue import Depth, QueueDepth

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_QUEUE_CACHE_SECONDS = 5.0
_HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SEND_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_DELIVERY_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 21600, 86400)
_BREAKER_VALUES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # they double the number of series, and nobody asks for them
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
            "Touches of mails, by what followed: sent, retry, dead, or why it was stopped.",
            ["outcome"],
            registry=self.registry,
        )
        self.delivery_latency = Histogram(
            "limbo_delivery_latency_seconds",
            "Time from a mail's submission to its acceptance by a provider.",
            buckets=_DELIVERY_BUCKETS,
            registry=self.registry,
        )
        build = Gauge(
            "limbo_build_info", "The version that runs.", ["version"], registry=self.registry
        )
        build.labels(__version__).set(1)

    def watch_queue(self, queue: QueueDepth) -> None:
        """Show how full the queue is and what the dead letters died of, counted when scraped."""
        self.registry.register(_QueueCollector(queue))

    def watch_breakers(self, states: Callable[[], Mapping[str, BreakerState]]) -> None:
        """Show the state of each provider's breaker when scraped."""
        self.registry.register(_BreakerCollector(states))

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format; it may ask the queue, so it blocks."""
        return generate_latest(self.registry)


class _QueueCollector(Collector):
    """Asks the queue at most every five seconds; a queue that does not answer shows nothing."""

    def __init__(self, queue: QueueDepth) -> None:
        self._queue = queue
        self._lock = threading.Lock()
        self._asked_at = -_QUEUE_CACHE_SECONDS
        self._depth: Depth | None = None

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._lock:
            if time.monotonic() - self._asked_at >= _QUEUE_CACHE_SECONDS:
                self._depth = self._ask()
                self._asked_at = time.monotonic()
            depth = self._depth
        if depth is not None:
            yield from _queue_families(depth)

    def _ask(self) -> Depth | None:
        try:
            return self._queue.depth()
        except QueueUnavailable:
            return None


def _queue_families(depth: Depth) -> Iterable[GaugeMetricFamily]:
    messages = GaugeMetricFamily("limbo_queue_messages", "Mails in the queue.", labels=["state"])
    messages.add_metric(["ready"], depth.ready)
    messages.add_metric(["in_flight"], depth.in_flight)
    messages.add_metric(["delayed"], depth.delayed)
    yield messages
    if depth.oldest_age is not None:
        yield GaugeMetricFamily(
            "limbo_queue_oldest_age_seconds",
            "Time since the submission of the oldest mail in the queue.",
            value=depth.oldest_age,
        )
    dead = GaugeMetricFamily(
        "limbo_dead_letters", "Mails in the dead letters, by kind of cause.", labels=["cause"]
    )
    for kind, count in sorted(depth.dead.items()):
        dead.add_metric([kind], count)
    yield dead


class _BreakerCollector(Collector):
    def __init__(self, states: Callable[[], Mapping[str, BreakerState]]) -> None:
        self._states = states

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "limbo_breaker_state",
            "A provider's circuit breaker: 0 closed, 1 half open, 2 open.",
            labels=["sender"],
        )
        for sender, state in self._states().items():
            family.add_metric([sender], _BREAKER_VALUES[state])
        yield family
