"""Logs by structlog, set up once a process: one line an event, no address in any."""

import hashlib
import logging
import sys
import time
import traceback
from contextlib import suppress
from contextvars import ContextVar
from typing import IO, Any, BinaryIO, TextIO, cast

import orjson
import structlog

# One variable for all fields: structlog's own has one a field, and setting each takes 2 µs.
_REQUEST: ContextVar[dict[str, object] | None] = ContextVar("limbo_request", default=None)


def configure_logging(*, pretty: bool | None = None) -> None:
    """Send every log line to standard output: as JSON, or readable when that is a terminal."""
    pretty = sys.stdout.isatty() if pretty is None else pretty
    shared: list[structlog.typing.Processor] = [
        _add_request,
        structlog.processors.add_log_level,
        _TimeStamper(),
        structlog.processors.ExceptionRenderer(_frames),
    ]
    renderer: structlog.typing.Processor
    if pretty:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), pad_event_to=16, sort_keys=False
        )
        own: structlog.typing.WrappedLogger = structlog.PrintLoggerFactory(
            cast("TextIO", _Unfailing(sys.stdout))
        )
    else:
        renderer = structlog.processors.JSONRenderer(serializer=orjson.dumps)
        own = structlog.BytesLoggerFactory(cast("BinaryIO", _Unfailing(sys.stdout.buffer)))
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=own,
        cache_logger_on_first_use=True,
    )
    _configure_foreign_logs(shared, renderer)


class _Unfailing:
    """Standard output, where a full disk or a reader that is gone costs lines and no mails."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    def write(self, line: str | bytes) -> int:
        """Write, or lose the line."""
        with suppress(OSError, ValueError):
            self._stream.write(line)
        return len(line)

    def flush(self) -> None:
        """Flush, or lose what was not."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def begin_request(**fields: object) -> None:
    """Have each line that is logged in this context from now on show these fields."""
    _REQUEST.set(fields)


def note_request(**fields: object) -> None:
    """Add fields to those of the request that was begun, if one was."""
    if (known := _REQUEST.get()) is not None:
        known.update(fields)


def _add_request(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if (fields := _REQUEST.get()) is not None:
        return {**fields, **event}
    return event


class _TimeStamper:
    """Adds the time by RFC 3339, in UTC; the part before the second's fraction is made once."""

    def __init__(self) -> None:
        self._made = (-1, "")

    def __call__(
        self, _: object, __: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        second, fraction = divmod(time.time_ns() // 1000, 1_000_000)
        at, text = self._made
        if at != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._made = (second, text)
        event["timestamp"] = f"{text}.{fraction:06d}Z"
        return event


def _frames(exc_info: structlog.typing.ExcInfo) -> str:
    """Say where and what was raised; not its text, which might hold somebody's address."""
    frames = traceback.extract_tb(exc_info[2])
    return "\n".join(
        [
            *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames),
            exc_info[0].__name__,
        ]
    )


def _configure_foreign_logs(
    shared: list[structlog.typing.Processor], renderer: structlog.typing.Processor
) -> None:
    """Give the lines of libraries (uvicorn, botocore, urllib3) the same form, from warnings up."""

    def text(logger: object, name: str, event: structlog.typing.EventDict) -> str:
        rendered = renderer(logger, name, event)
        return rendered.decode() if isinstance(rendered, bytes) else str(rendered)

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, text],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def hash_address(email: str) -> str:
    """Return what stands for an address in a log: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(email.encode()).hexdigest()[:12]
