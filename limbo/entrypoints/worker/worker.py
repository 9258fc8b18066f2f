"""The worker: receives mails while it has room, sends them on threads, and settles them."""

import threading
from collections.abc import Sequence
from queue import SimpleQueue

import structlog

from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.outcome import Dead, Outcome, Sent, Stopped
from limbo.domain.delivery.verdict import UNDECODABLE, Cause
from limbo.domain.errors import QueueUnavailable
from limbo.domain.mail.mail import Mail
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.worker.leases import HeldLeases
from limbo.entrypoints.worker.own_mails import OwnMails
from limbo.entrypoints.worker.report import WorkerReport
from limbo.entrypoints.worker.settler import Settler
from limbo.entrypoints.worker.slots import Slots
from limbo.entrypoints.worker.touch import Touch
from limbo.ports.ledger import Ledger
from limbo.ports.queue import Lease, MailQueue, Undecodable

_BACKOFF_SECONDS = (0.5, 5.0)
_log = structlog.get_logger()


class Worker:
    """Sends the mails of the queue; ``run`` blocks until ``stop`` was called and obeyed."""

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
        """``poll_seconds`` is how long a receive waits for a mail; a stop has to wait for it.

        ``batch`` is how many mails fit into one call of the queue: the worker waits a little until
        it can receive or acknowledge that many.
        """
        self._queue = queue
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._report = report
        self._clock = clock
        self._concurrency = concurrency
        self._shutdown_seconds = shutdown_seconds
        self._poll_seconds = poll_seconds
        batch = min(batch, concurrency)
        self._held = HeldLeases(queue, lease_seconds=lease_seconds, clock=clock)
        self._slots = Slots(
            concurrency, batch=batch, dispatcher=dispatcher, held=self._held, clock=clock
        )
        self._own = OwnMails()
        self._settler = Settler(
            queue,
            ledger,
            clock=clock,
            settled=self._forget,
            removed=lambda lease: self._own.note_removed(lease.mail.id),
            batch=batch,
        )
        self._queue_is_down = False
        self._work: SimpleQueue[Lease] = SimpleQueue()

    def run(self) -> bool:
        """Work until ``stop`` is called; return whether all mails that were started are settled."""
        self._settler.start()
        self._held.start()
        for number in range(self._concurrency):
            threading.Thread(target=self._send, name=f"send-{number}", daemon=True).start()
        self._receive()
        return self._finish()

    def stop(self) -> None:
        """Receive no more mails, release those not started, finish the others in the time set."""
        self._slots.close(self._shutdown_seconds)

    def _receive(self) -> None:
        backoff = _BACKOFF_SECONDS[0]
        while (limit := self._slots.room()) is not None:
            if self._hand_out(limit):
                backoff = _BACKOFF_SECONDS[0]
            else:
                self._slots.pause(backoff)
                backoff = min(2 * backoff, _BACKOFF_SECONDS[1])

    def _hand_out(self, limit: int) -> bool:
        """Give mails from the queue to the threads; return False if the queue failed."""
        received_at = self._clock.now()
        leases = self._ask_queue(limit)
        if leases is None:
            return False
        self._slots.take(len(leases))
        for lease in leases:
            self._held.add(lease, received_at)
            self._work.put(lease)
        return True

    def _ask_queue(self, limit: int) -> Sequence[Lease] | None:
        """Return leases from the queue, or None if it failed."""
        try:
            leases = self._queue.receive(limit, self._poll_seconds)
        except QueueUnavailable as error:
            _log.error("queue unavailable", doing="receive", reason=str(error))
        except Exception:  # noqa: BLE001 - a defect of a queue must not end the worker
            _log.exception("queue failed", doing="receive")
        else:
            if self._queue_is_down:
                _log.info("queue available again", doing="receive")
            self._queue_is_down = False
            return leases
        self._queue_is_down = True
        return None

    def _send(self) -> None:
        while True:
            self._send_one(self._work.get())  # no thread that waits keeps its last mail in memory

    def _send_one(self, lease: Lease) -> None:
        try:
            with self._own.turn(lease.mail.id):
                self._touch(lease)
        except Exception:  # noqa: BLE001 - the thread must outlive a defect
            _log.exception("touch failed", mail_id=lease.mail.id)
            self._held.drop(lease)  # it ends by itself, and the mail is received again
        finally:
            self._slots.give_back()

    def _touch(self, lease: Lease) -> None:
        touch = Touch(lease, ledger=self._ledger, holds=self._held.holds, now=self._clock.now)
        outcome = self._outcome(touch)
        if isinstance(outcome, Sent):
            self._own.note_sent(lease.mail.id)
        settlement = touch.settlement(outcome)
        self._settler.settle(touch.lease, settlement)  # before anything that may fail
        self._report.touched(
            touch.lease, outcome, self._dispatcher.states(), self._dispatcher.opened_by()
        )

    def _outcome(self, touch: Touch) -> Outcome:
        if self._own.has_sent(touch.lease.mail.id):
            return Stopped(attempts=(), why=Stop.ALREADY_SENT)
        if self._slots.is_closed:
            return Stopped(attempts=(), why=Stop.SHUTDOWN)
        match touch.lease.mail:
            case Undecodable(is_sealed=True):
                return Stopped(attempts=(), why=Stop.SEALED)
            case Mail(is_supported=False) | Undecodable(is_supported=False):
                return Stopped(attempts=(), why=Stop.NEWER)
            case Undecodable(reason=reason):
                return Dead(attempts=(), cause=Cause(kind=UNDECODABLE, reason=reason))
            case Mail() as mail:
                lease = touch.lease
                return self._dispatcher.dispatch(mail, lease.touches, touch.permit, lease.evidence)

    def _forget(self, lease: Lease) -> None:
        self._held.drop(lease)
        self._slots.look_again()

    def _finish(self) -> bool:
        unfinished = self._slots.drain()
        settled = self._settler.flush(max(self._slots.deadline, self._clock.now() + 1))
        if unfinished or not settled:
            _log.warning("stopped with mails in flight", count=max(unfinished, len(self._held)))
        return settled and not unfinished
