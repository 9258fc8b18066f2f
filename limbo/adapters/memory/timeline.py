"""The times at which entries of a queue in memory are due, earliest first."""

import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

_SLACK = 1000  # outdated entries that a timeline may hold before a sweep pays off

E = TypeVar("E")


class Timeline(Generic[E]):
    """Entries sorted by time. A push is O(log n). Reading skips outdated entries."""

    def __init__(self, is_current: Callable[[float, E], bool]) -> None:
        self._is_current = is_current
        self._heap: list[tuple[float, int, E]] = []
        self._ties = itertools.count()

    def push(self, at: float, entry: E) -> None:
        """Add an entry at a time. An entry may be there at several times."""
        heapq.heappush(self._heap, (at, next(self._ties), entry))

    def first(self) -> tuple[float, E] | None:
        """Return the earliest current entry, without removing it."""
        while self._heap:
            at, _, entry = self._heap[0]
            if self._is_current(at, entry):
                return at, entry
            heapq.heappop(self._heap)
        return None

    def sweep(self, current: int) -> None:
        """Remove the outdated entries once they outnumber the ``current`` ones by far."""
        if len(self._heap) > 2 * current + _SLACK:
            self._heap = [item for item in self._heap if self._is_current(item[0], item[2])]
            heapq.heapify(self._heap)
