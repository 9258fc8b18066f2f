"""What a queue in memory has to do at some time, the earliest first."""

import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

_SLACK = 1000  # outdated entries a timeline may hold before it is worth sweeping

E = TypeVar("E")


class Timeline(Generic[E]):
    """Entries by time, each push O(log n); what is no longer current is passed over."""

    def __init__(self, is_current: Callable[[float, E], bool]) -> None:
        self._is_current = is_current
        self._heap: list[tuple[float, int, E]] = []
        self._ties = itertools.count()

    def push(self, at: float, entry: E) -> None:
        """Add an entry, which may be there at other times as well."""
        heapq.heappush(self._heap, (at, next(self._ties), entry))

    def first(self) -> tuple[float, E] | None:
        """Return the earliest current entry, and keep it."""
        while self._heap:
            at, _, entry = self._heap[0]
            if self._is_current(at, entry):
                return at, entry
            heapq.heappop(self._heap)
        return None

    def sweep(self, current: int) -> None:
        """Throw the outdated away once they are more than the ``current`` ones."""
        if len(self._heap) > 2 * current + _SLACK:
            self._heap = [item for item in self._heap if self._is_current(item[0], item[2])]
            heapq.heapify(self._heap)
