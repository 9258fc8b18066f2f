"""The worker: receives what it has room for, dispatches on threads, and settles what came of it."""

import threading
from queue import SimpleQueue

import structlog

from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.verdict import UNDECODABLE, Cause
from limbo.domain.errors import QueueUnavailable
from limbo.domain.mail.mail import Mail
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.worker.leases import HeldLeases
from limbo.entrypoints.worker.report import WorkerReport
from limbo.entrypoints.worker.settler import (
    LINGER_SECONDS,
    Bury,
    Defer,
    Settlement,
    Settler,
    whole_calls,
)
from limbo.entrypoints.worker.touch import Touch
from limbo.ports.ledger import Ledger
from limbo.ports.queue import Death, Lease, MailQueue, Undecodable

_PAUSE_SECONDS = 1.0  # How often a paused worker looks again, whatever it was told.
_BACKOFF_SECONDS = (0.5, 5.0)
_NEWER_DELAY = 30.0
_log = structlog.get_logger()


class Worker:
    """One process's share of the sending; ``run`` blocks until ``stop`` is called and obeyed."""

    def __init__(
        self,
        *,
        queue: MailQueue,
        ledger: Ledger,
        dispatcher: Dispatcher,
        report: WorkerReport,
        clock: Clock,
        concurrency: int,
        lease_seconds: float,
        shutdown_seconds: float,
        poll_seconds: float,
        batch: int = 1,
    ) -> None:
        """``poll_seconds`` is how long a receive waits for a mail; a stop waits for its end.

        ``batch`` is how many mails a call of the queue is good for: the worker waits a little for
        so many to receive, and to acknowledge.
        """
        self._queue = queue
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._report = report
        self._clock = clock
        self._concurrency = concurrency
        self._lease_seconds = lease_seconds
        self._shutdown_seconds = shutdown_seconds
        self._poll_seconds = poll_seconds
        self._held = HeldLeases(queue, lease_seconds=lease_seconds, now=clock.now)
        self._batch = min(batch, concurrency)
        self._settler = Settler(queue, ledger, clock=clock, settled=self._forget, batch=self._batch)
        self._work: SimpleQueue[Lease] = SimpleQueue()
        self._changed = threading.Condition()
        self._free = concurrency
        self._stopping = False
        self._deadline = 0.0

    def run(self) -> bool:
        """Work until told to stop; return whether everything that was started is settled."""
        self._settler.start()
        threading.Thread(target=self._keep_leases, name="leases", daemon=True).start()
        for number in range(self._concurrency):
            threading.Thread(target=self._send, name=f"send-{number}", daemon=True).start()
        self._receive()
        return self._finish()

    def stop(self) -> None:
        """Receive no more, give back what has not started, finish the rest in the time set."""
        with self._changed:
            if not self._stopping:
                self._stopping = True
                self._deadline = self._clock.now() + self._shutdown_seconds
            self._changed.notify_all()

    def _receive(self) -> None:
        backoff = _BACKOFF_SECONDS[0]
        while (limit := self._room()) is not None:
            received_at = self._clock.now()
            try:
                leases = self._queue.receive(limit, self._poll_seconds)
            except QueueUnavailable as error:
                _log.error("queue unavailable", doing="receive", reason=str(error))
                leases = None
            except Exception:  # noqa: BLE001 - a defect of a queue must not end the worker
                _log.exception("queue failed", doing="receive")
                leases = None
            if leases is None:
                self._sleep(backoff)
                backoff = min(2 * backoff, _BACKOFF_SECONDS[1])
                continue
            backoff = _BACKOFF_SECONDS[0]
            with self._changed:
                self._free -= len(leases)
            for lease in leases:
                self._held.add(lease, received_at)
                self._work.put(lease)

    def _room(self) -> int | None:
        """Wait until a mail is worth receiving; return how many are, or None when stopping."""
        patient_until = self._clock.now() + LINGER_SECONDS
        with self._changed:
            while not self._stopping:
                capacity = self._dispatcher.capacity()
                # What is sent and not yet settled is held as well, while ledger or queue is down.
                room = min(self._free, 2 * self._concurrency - len(self._held))
                if capacity is not None:  # only probes: one mail for each, those in flight included
                    room = min(room, capacity - (self._concurrency - self._free))
                elif 0 < room < self._batch and (left := patient_until - self._clock.now()) > 0:
                    self._clock.wait(self._changed, left)
                    continue
                if room > 0:
                    return whole_calls(room, self._batch)
                ready_in = self._dispatcher.ready_in() if capacity == 0 else _PAUSE_SECONDS
                self._clock.wait(self._changed, min(max(ready_in, 0.01), _PAUSE_SECONDS))
        return None

    def _send(self) -> None:
        while True:
            lease = self._work.get()
            try:
                self._touch(lease)
            except Exception:  # noqa: BLE001 - the thread must outlive a defect
                _log.exception("touch failed", mail_id=lease.mail.id)
                self._held.drop(lease)  # it runs out by itself, and the mail comes again
            finally:
                with self._changed:
                    self._free += 1
                    self._changed.notify_all()

    def _touch(self, lease: Lease) -> None:
        if self._stopping:
            self._settler.settle(Settlement(lease=lease, action=Defer(0)))
            return
        match lease.mail:
            case Undecodable(reason=reason) as body:
                cause = Cause(kind=UNDECODABLE, reason=reason)
                self._settler.settle(Settlement(lease=lease, action=Bury(Death(cause=cause))))
                self._report.dead(body.id, cause, possible_duplicate=False)
            case Mail(is_supported=False) as mail:
                # To send what only a newer limbo understands might leave part of it out.
                self._settler.settle(Settlement(lease=lease, action=Defer(_NEWER_DELAY)))
                self._report.newer(mail)
            case Mail() as mail:
                self._dispatch(mail, lease)

    def _dispatch(self, mail: Mail, lease: Lease) -> None:
        touch = Touch(lease, ledger=self._ledger, holds=self._held.holds, now=self._clock.now)
        outcome = self._dispatcher.dispatch(mail, lease.touches, touch.permit)
        self._settler.settle(touch.settlement(outcome))  # before anything that may fail
        self._report.touched(mail, touch.lease, outcome, self._dispatcher.states())

    def _forget(self, lease: Lease) -> None:
        self._held.drop(lease)
        with self._changed:
            self._changed.notify_all()

    def _keep_leases(self) -> None:
        pause = threading.Condition()
        while True:
            with pause:
                self._clock.wait(pause, self._lease_seconds / 3)
            try:
                self._held.extend()
            except Exception:  # noqa: BLE001 - without heartbeats every lease would be lost
                _log.exception("cannot extend the leases")

    def _finish(self) -> bool:
        with self._changed:
            while self._free < self._concurrency:
                left = self._deadline - self._clock.now()
                if left <= 0:
                    break
                self._clock.wait(self._changed, left)
            unfinished = self._concurrency - self._free
        settled = self._settler.flush(max(self._deadline, self._clock.now() + 1))
        if unfinished or not settled:
            _log.warning("stopped with mails in flight", count=max(unfinished, len(self._held)))
        return settled and not unfinished

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            if not self._stopping:
                self._clock.wait(self._changed, seconds)
