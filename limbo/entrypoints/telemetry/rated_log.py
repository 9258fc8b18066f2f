"""Logs events that may occur thousands of times a second, by rate."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import structlog

Later = Callable[[float, Callable[[], None]], None]
_SECONDS = 10.0
_MOST = 64
_OTHERS = object()
log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class _Held:
    """An event that was logged in this window, and those like it that were not."""

    event: str
    suppressed: int = 0
    fields: dict[str, object] = field(default_factory=dict)


class RatedLog:
    """Logs a warning at once, and those like it that follow in one line each ``seconds``.

    Alike are those of the same event and ``key``. The line at the end of a window has the fields of
    the last of them, and their number as ``suppressed``. Of more than ``most`` keys in a window,
    the rest share one. Any thread may call it. ``later`` calls a function after so many seconds.
    """

    def __init__(
        self, *, seconds: float = _SECONDS, most: int = _MOST, later: Later | None = None
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._later = later or _on_a_timer
        self._lock = threading.Lock()
        self._held: dict[Hashable, _Held] = {}

    def warning(self, event: str, *, key: Hashable = None, **fields: object) -> None:
        """Log the event, or count it for the next line."""
        with self._lock:
            is_first = not self._held
            known = self._held.get((event, key))
            if known is None and len(self._held) >= self._most:
                key = _OTHERS
                known = self._held.get((event, key))
            if known is None:
                self._held[event, key] = _Held(event=event)
            else:
                known.suppressed += 1
                known.fields = fields
        if known is None:
            log.warning(event, **fields)
        if is_first:
            self._later(self._seconds, self._tell)

    def _tell(self) -> None:
        """Log what was counted in the window that ends; forget what did not occur in it again."""
        with self._lock:
            again = {key: held for key, held in self._held.items() if held.suppressed}
            lines = [(held.event, held.fields, held.suppressed) for held in again.values()]
            self._held = {key: _Held(event=held.event) for key, held in again.items()}
        for event, fields, suppressed in lines:
            log.warning(event, **fields, suppressed=suppressed)
        if again:
            self._later(self._seconds, self._tell)


def _on_a_timer(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
