"""The metrics that are read only when they are scraped."""

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from limbo.domain.delivery.breaker import BreakerState
from limbo.domain.delivery.verdict import UNDECODABLE, Fault
from limbo.domain.errors import QueueUnavailable
from limbo.ports.queue import ANY_KIND, Depth, QueueDepth

_FRESH_SECONDS = 1.0
_STALE_SECONDS = 60.0
_PATIENCE_SECONDS = 1.0
_BREAKER_VALUES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
log: structlog.stdlib.BoundLogger = structlog.get_logger()


class QueueCollector(Collector):
    """Shows the depth of the queue as it is now, or else as it was within the last minute.

    A thread asks the queue, because the queue may hang, or fail slowly. A scrape waits for its
    answer, for ``patience`` seconds at most: unless the queue failed last time, or an earlier
    scrape has waited for it already. Scrapes within one second share an answer.
    """

    def __init__(
        self,
        queue: QueueDepth,
        *,
        now: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._queue = queue
        self._now = now
        self._patience = patience
        self._lock = threading.Lock()
        self._is_asking = False
        self._has_failed = False
        self._asked_at = self._told_at = -math.inf
        self._depth: Depth | None = None

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the metrics of the depth, if the queue has answered in the last minute."""
        thread = self._begin()
        if thread is not None and not self._has_failed:
            thread.join(self._patience)
        if (depth := self._recent()) is not None:
            yield from _queue_families(depth)

    def _recent(self) -> Depth | None:
        return self._depth if self._now() - self._told_at < _STALE_SECONDS else None

    def _begin(self) -> threading.Thread | None:
        """Start a thread that asks the queue, unless one is running or has asked just now."""
        with self._lock:
            if self._is_asking or self._now() - self._asked_at < _FRESH_SECONDS:
                return None
            thread = threading.Thread(target=self._ask, name="depth", daemon=True)
            thread.start()
            self._is_asking, self._asked_at = True, self._now()
            return thread

    def _ask(self) -> None:
        try:
            depth = self._queue.depth()
        except QueueUnavailable:
            depth = None
        except Exception as error:  # the next scrape asks again
            log.exception("the queue cannot be counted", exc_info=error)
            depth = None
        with self._lock:
            self._is_asking = False
            self._has_failed = depth is None
            if depth is not None:
                self._depth, self._told_at = depth, self._now()


def _queue_families(depth: Depth) -> Iterable[GaugeMetricFamily]:
    messages = GaugeMetricFamily("limbo_queue_messages", "Mails in the queue.", labels=["state"])
    messages.add_metric(["ready"], depth.ready)
    messages.add_metric(["in_flight"], depth.in_flight)
    messages.add_metric(["deferred"], depth.deferred)
    yield messages
    yield GaugeMetricFamily(
        "limbo_queue_messages_estimated",
        "1 while ready and deferred mails are both too many to be told apart exactly.",
        value=int(depth.is_estimate),
    )
    if depth.oldest_age is not None:
        yield GaugeMetricFamily(
            "limbo_queue_oldest_age_seconds",
            "Time since the submission, or the redrive, of the oldest mail in the queue.",
            value=depth.oldest_age,
        )
    dead = GaugeMetricFamily(
        "limbo_dead_letters", "Mails in the dead letters, by kind of cause.", labels=["cause"]
    )
    for kind, count in sorted({**_no_dead(depth.dead), **depth.dead}.items()):
        dead.add_metric([kind], count)
    yield dead


def _no_dead(dead: Mapping[str, int]) -> Mapping[str, int]:
    """Return 0 for each kind of cause, unless the queue cannot tell the kinds apart."""
    return {} if ANY_KIND in dead else dict.fromkeys([*Fault, UNDECODABLE], 0)


class BreakerCollector(Collector):
    """Shows the state of each provider's breaker."""

    def __init__(self, states: Callable[[], Mapping[str, BreakerState]]) -> None:
        self._states = states

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the state of each breaker."""
        family = GaugeMetricFamily(
            "limbo_breaker_state",
            "A provider's circuit breaker: 0 closed, 1 half open, 2 open.",
            labels=["sender"],
        )
        for sender, state in self._states().items():
            family.add_metric([sender], _BREAKER_VALUES[state])
        yield family
