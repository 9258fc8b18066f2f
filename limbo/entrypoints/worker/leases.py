"""The leases that a worker holds; they are extended while it works on the mails."""

import threading
from dataclasses import dataclass

import structlog

from limbo.domain.errors import QueueUnavailable
from limbo.entrypoints.process.clock import Clock
from limbo.ports.queue import Lease, MailQueue

MAX_HELD_SECONDS = 900.0  # The lease of a send that hangs longer ends, and another worker tries.
_log = structlog.get_logger()


@dataclass(slots=True)
class _Held:
    lease: Lease
    since: float
    until: float


class HeldLeases:
    """Knows which leases this worker still holds; thread-safe."""

    def __init__(self, queue: MailQueue, *, lease_seconds: float, clock: Clock) -> None:
        self._queue = queue
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._held: dict[tuple[str, str], _Held] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def start(self) -> None:
        """Start the thread that extends the leases."""
        threading.Thread(target=self._run, name="leases", daemon=True).start()

    def add(self, lease: Lease, received_at: float) -> None:
        """Hold a lease, from the time when its receive began."""
        until = received_at + self._lease_seconds
        with self._lock:
            self._held[_identity(lease)] = _Held(lease, received_at, until)

    def drop(self, lease: Lease) -> None:
        """Forget a lease that is settled."""
        with self._lock:
            self._held.pop(_identity(lease), None)

    def holds(self, lease: Lease) -> bool:
        """Say whether the lease is certainly still held: no other worker can have the mail."""
        with self._lock:
            held = self._held.get(_identity(lease))
        return held is not None and self._clock.now() < held.until

    def extend(self) -> None:
        """Extend the leases of which a third or more has passed; forget those that are lost."""
        now = self._clock.now()
        with self._lock:
            due = [held for held in self._held.values() if self._is_due(held, now)]
        if not due:
            return
        try:
            lost = self._queue.extend([held.lease for held in due])
        except QueueUnavailable:
            return  # each lease ends by itself, unless a later call extends it
        lost_identities = {_identity(lease) for lease in lost}
        with self._lock:
            for held in due:
                if _identity(held.lease) in lost_identities:
                    self._held.pop(_identity(held.lease), None)
                else:
                    held.until = now + self._lease_seconds

    def _run(self) -> None:
        pause = threading.Condition()
        while True:
            with pause:
                self._clock.wait(pause, self._lease_seconds / 3)
            try:
                self.extend()
            except Exception:  # noqa: BLE001 - without this thread every lease would be lost
                _log.exception("cannot extend the leases")

    def _is_due(self, held: _Held, now: float) -> bool:
        fresh = held.until - now > self._lease_seconds * 2 / 3
        return not fresh and now - held.since < MAX_HELD_SECONDS


def _identity(lease: Lease) -> tuple[str, str]:
    """Return what identifies the lease: a receipt alone may stand for all mails of a receive."""
    return lease.mail.id, lease.receipt
