"""How many mails a worker has room for."""

import threading

from limbo.domain.delivery.dispatch import Dispatcher
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.worker.leases import HeldLeases
from limbo.entrypoints.worker.settler import LINGER_SECONDS, whole_calls

_PAUSE_SECONDS = 1.0  # How often a paused worker looks again, whatever it was told.


class Slots:
    """One slot for each mail in flight; the worker's threads wait here for one another.

    Once ``is_closed``, no mail is to be started, and what has started has until ``deadline``.
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
        """Take slots for mails that there was room for."""
        with self._changed:
            self._free -= count

    def give_back(self) -> None:
        """Give one slot back."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()

    def look_again(self) -> None:
        """Tell those that wait that fewer leases are held."""
        with self._changed:
            self._changed.notify_all()

    def room(self) -> int | None:
        """Wait until a mail is worth receiving; return how many are, or None once closed."""
        patient_until = self._clock.now() + LINGER_SECONDS
        with self._changed:
            while not self.is_closed:
                capacity = self._dispatcher.capacity()
                # What is sent and not yet settled is held as well, while ledger or queue is down.
                room = min(self._free, 2 * self._count - len(self._held))
                if capacity is not None:  # only probes: one mail for each, those in flight included
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
        """Wait, but not once closed."""
        with self._changed:
            if not self.is_closed:
                self._clock.wait(self._changed, seconds)

    def close(self, seconds: float) -> None:
        """Let no more be started, and set the deadline; a second call changes nothing."""
        with self._changed:
            if not self.is_closed:
                self.is_closed = True
                self.deadline = self._clock.now() + seconds
            self._changed.notify_all()

    def drain(self) -> int:
        """Wait until all are given back, or until the deadline; return how many are not."""
        with self._changed:
            while self._free < self._count and (left := self.deadline - self._clock.now()) > 0:
                self._clock.wait(self._changed, left)
            return self._count - self._free
