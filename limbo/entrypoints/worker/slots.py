"""The slots of a worker: how many more mails it may receive."""

import threading

from limbo.domain.delivery.dispatch import Dispatcher
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.worker.leases import HeldLeases
from limbo.entrypoints.worker.settler import LINGER_SECONDS, whole_calls

_PAUSE_SECONDS = 1.0  # A paused worker looks again this often, even if nobody notifies it.


class Slots:
    """One slot for each mail in flight; here the worker's threads wait for each other.

    Once ``is_closed``, no mail is started; mails that have started have time until ``deadline``.
    """

    def __init__(
        self,
        count: int,
        *,
        batch: int,
        dispatcher: Dispatcher,
        held: HeldLeases,
        clock: Clock,
    ) -> None:
        self._count = count
        self._batch = batch
        self._dispatcher = dispatcher
        self._held = held
        self._clock = clock
        self._changed = threading.Condition()
        self._free = count
        self.is_closed = False
        self.deadline = 0.0

    def take(self, count: int) -> None:
        """Take slots for mails that were received."""
        with self._changed:
            self._free -= count

    def give_back(self) -> None:
        """Give one slot back."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def look_again(self) -> None:
        """Wake the threads that wait: fewer leases are held."""
        with self._changed:
            self._changed.notify_all()

    def room(self) -> int | None:
        """Wait until there is room; return how many mails to receive, or None once closed."""
        patient_until = self._clock.now() + LINGER_SECONDS
        with self._changed:
            while not self.is_closed:
                capacity = self._dispatcher.capacity()
                # Mails that are sent but not settled, as in an outage, hold their leases too.
                room = min(self._free, 2 * self._count - len(self._held))
                if (
                    capacity is not None
                ):  # only probes: one mail for each, including those in flight
                    room = min(room, capacity - (self._count - self._free))
                elif 0 < room < self._batch and (left := patient_until - self._clock.now()) > 0:
                    self._clock.wait(self._changed, left)
                    continue
                if room > 0:
                    return whole_calls(room, self._batch)
                ready_in = self._dispatcher.ready_in() if capacity == 0 else _PAUSE_SECONDS
                self._clock.wait(self._changed, min(max(ready_in, 0.01), _PAUSE_SECONDS))
        return None

    def pause(self, seconds: float) -> None:
        """Wait, unless it is closed."""
        with self._changed:
            if not self.is_closed:
                self._clock.wait(self._changed, seconds)

    def close(self, seconds: float) -> None:
        """Let no mail be started any more, and set the deadline; a second call changes nothing."""
        with self._changed:
            if not self.is_closed:
                self.is_closed = True
                self.deadline = self._clock.now() + seconds
            self._changed.notify_all()

    def drain(self) -> int:
        """Wait until all slots are given back, or the deadline; return how many are missing."""
        with self._changed:
            while self._free < self._count and (left := self.deadline - self._clock.now()) > 0:
                self._clock.wait(self._changed, left)
            return self._count - self._free
