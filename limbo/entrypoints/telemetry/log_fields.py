"""The fields of every log line: those of the request, the level, the time, the error."""

import time
import traceback
from contextvars import ContextVar

import structlog

# One variable holds all fields: structlog's own context has one for each, which is slower to set.
_REQUEST: ContextVar[dict[str, object] | None] = ContextVar("limbo_request", default=None)


def begin_request(**fields: object) -> None:
    """Add these fields to every line that is logged in this context from now on."""
    _REQUEST.set(fields)


def note_request(**fields: object) -> None:
    """Add fields to those of the current request, if there is one."""
    if (known := _REQUEST.get()) is not None:
        known.update(fields)


def noted(name: str) -> object | None:
    """Return a field of the current request, or None if it has no such field."""
    return (_REQUEST.get() or {}).get(name)


class Completion:
    """Adds the fields of the request, the level, the time, and the place of an error.

    It is one processor instead of several, which would each cost a call. The time without its
    fraction is formatted only once a second.
    """

    def __init__(self) -> None:
        self._made = (-1, "")
        self._render_exception = structlog.processors.ExceptionRenderer(_frames)

    def __call__(
        self, logger: object, level: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        """Return the line with these fields."""
        if (fields := _REQUEST.get()) is not None:
            event = {**fields, **event}
        event["level"] = level
        second, fraction = divmod(time.time_ns() // 1000, 1_000_000)
        at, text = self._made
        if at != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._made = (second, text)
        event["timestamp"] = f"{text}.{fraction:06d}Z"  # RFC 3339, in UTC
        if "exc_info" in event:
            return self._render_exception(logger, level, event)
        return event


def _frames(exc_info: structlog.typing.ExcInfo) -> str:
    """Return the type of the error and where it was raised; its text might hold an address."""
    frames = traceback.extract_tb(exc_info[2])
    return "\n".join(
        [
            *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames),
            exc_info[0].__name__,
        ]
    )
