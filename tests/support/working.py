"""A worker on a thread, for tests that watch what it does."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from limbo.adapters.memory.no_ledger import NoLedger
from limbo.domain.delivery.breaker import BreakerPolicy
from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.retry import RetryPolicy
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.entrypoints.worker.report import WorkerReport
from limbo.entrypoints.worker.worker import Worker
from limbo.ports.ledger import Ledger
from limbo.ports.queue import MailQueue
from limbo.ports.sender import Sender


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until the condition holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


class Working:
    """A worker, what it is made of, and the thread it runs on."""

    def __init__(
        self,
        queue: MailQueue,
        senders: Sequence[Sender],
        *,
        ledger: Ledger | None = None,
        clock: Clock | None = None,
        retry: RetryPolicy | None = None,
        breaker: BreakerPolicy | None = None,
        concurrency: int = 8,
        lease_seconds: float = 60.0,
        shutdown_seconds: float = 5.0,
        poll_seconds: float = 0.02,
        batch: int = 1,
    ) -> None:
        self.clock = clock or Clock()
        self.metrics = Metrics()
        self.dispatcher = Dispatcher(senders, now=self.clock.now, retry=retry, breaker=breaker)
        self.metrics.watch_breakers(self.dispatcher.states)
        self.worker = Worker(
            queue=queue,
            ledger=ledger or NoLedger(),
            dispatcher=self.dispatcher,
            report=WorkerReport(self.metrics, self.clock.now),
            clock=self.clock,
            concurrency=concurrency,
            lease_seconds=lease_seconds,
            shutdown_seconds=shutdown_seconds,
            poll_seconds=poll_seconds,
            batch=batch,
        )
        self.settled_all: bool | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def stop(self, seconds: float = 30.0) -> None:
        """Tell it to stop, and wait until it has."""
        self.worker.stop()
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the worker did not stop in time"

    def count(self, metric: str, **labels: str) -> float:
        """Return the value of one of its metrics, 0 if there is none yet."""
        return self.metrics.registry.get_sample_value(metric, labels) or 0.0

    def _run(self) -> None:
        self.settled_all = self.worker.run()


@contextmanager
def working(queue: MailQueue, senders: Sequence[Sender], **options: object) -> Iterator[Working]:
    """Run a worker for as long as the block lasts."""
    made = Working(queue, senders, **options)  # type: ignore[arg-type]
    made.thread.start()
    try:
        yield made
    finally:
        made.stop()
