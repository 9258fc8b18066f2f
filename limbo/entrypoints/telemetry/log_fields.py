"""What every log line shows beside its event: the request, the level, the time, the error."""

import time
import traceback
from contextvars import ContextVar

import structlog

# One variable holds all fields: structlog has one for each, and setting each costs a call.
_REQUEST: ContextVar[dict[str, object] | None] = ContextVar("limbo_request", default=None)


def begin_request(**fields: object) -> None:
    """Show these fields in each line that is logged in this context from now on."""
    _REQUEST.set(fields)


def note_request(**fields: object) -> None:
    """Add fields to those of the request that was begun, if one was."""
    if (known := _REQUEST.get()) is not None:
        known.update(fields)


class Completion:
    """Adds what every line shows: the request's fields, its level, its time, where it was raised.

    It is one processor, as each costs a call. The part of the time before its fraction is made
    once a second.
    """

    def __init__(self) -> None:
        self._made = (-1, "")
        self._render_exception = structlog.processors.ExceptionRenderer(_frames)

    def __call__(
        self, logger: object, level: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        """Return the line with what it lacks."""
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
    """Say what was raised and where, without its text, which might hold an address."""
    frames = traceback.extract_tb(exc_info[2])
    return "\n".join(
        [
            *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames),
            exc_info[0].__name__,
        ]
    )
