"""Logs by structlog, set up once a process: one line an event, no address in any."""

import asyncio
import hashlib
import logging
import sys
import threading
import time
import traceback
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import IO, Any

import orjson
import structlog

# One variable for all fields: structlog's own has one a field, and setting each takes 2 µs.
_REQUEST: ContextVar[dict[str, object] | None] = ContextVar("limbo_request", default=None)


def configure_logging(*, pretty: bool | None = None) -> None:
    """Send every log line to standard output: as JSON, or readable when that is a terminal."""
    pretty = sys.stdout.isatty() if pretty is None else pretty
    complete = _Completion()
    renderer: structlog.typing.Processor = _as_json
    output = _Output(sys.stdout.buffer, b"\n")
    if pretty:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), pad_event_to=16, sort_keys=False
        )
        output = _Output(sys.stdout, "\n")
    structlog.configure(
        processors=[complete, renderer],
        wrapper_class=_Logger,
        logger_factory=lambda *_: output,
        cache_logger_on_first_use=True,
    )
    _configure_foreign_logs(complete, renderer)


class _Logger(structlog.make_filtering_bound_logger(logging.INFO)):  # type: ignore[misc]
    """structlog's logger in the form that limbo needs alone, which saves a fifth of a line."""

    def _proxy_to_logger(self, level: str, event: str, **fields: object) -> None:
        line = {**self._context, **fields, "event": event}
        try:
            for processor in self._processors:
                line = processor(self._logger, level, line)
        except structlog.DropEvent:
            return
        self._logger.msg(line)


def _as_json(_: object, __: str, event: structlog.typing.EventDict) -> bytes:
    return orjson.dumps(event, default=repr)


class _Output:
    """Standard output, where a full disk or a reader that is gone costs lines and no mails.

    What an event loop logs in one of its turns is written at once, after it: each call of the
    system lets go of the interpreter.
    """

    def __init__(self, stream: IO[Any], end: str | bytes) -> None:
        self._stream = stream
        self._end: Any = end
        self._lines: deque[Any] = deque()
        self._flushing: asyncio.AbstractEventLoop | None = None
        self._writing = threading.Lock()

    def msg(self, line: str | bytes) -> None:
        """Write the line: now, or after this turn of the loop."""
        self._lines.append(line)
        loop = self._flushing  # which another thread may change at any time
        if loop is None or not loop.is_running():
            try:
                loop = self._flushing = asyncio.get_running_loop()
            except RuntimeError:  # a thread without one
                self._flush()
            else:
                loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Write, or lose the lines; in turn, so that no line of a thread overtakes another."""
        self._flushing = None
        with self._writing, suppress(OSError, ValueError):
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            self._stream.write(self._end.join([*lines, self._end[:0]]))
            self._stream.flush()


def begin_request(**fields: object) -> None:
    """Have each line that is logged in this context from now on show these fields."""
    _REQUEST.set(fields)


def note_request(**fields: object) -> None:
    """Add fields to those of the request that was begun, if one was."""
    if (known := _REQUEST.get()) is not None:
        known.update(fields)


class _Completion:
    """Adds what every line shows: the request's fields, its level, its time, where it was raised.

    One processor, as each costs a call; the time's part before its fraction is made once a second.
    """

    def __init__(self) -> None:
        self._made = (-1, "")
        self._render_exception = structlog.processors.ExceptionRenderer(_frames)

    def __call__(
        self, logger: object, level: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
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
    """Say where and what was raised; not its text, which might hold somebody's address."""
    frames = traceback.extract_tb(exc_info[2])
    return "\n".join(
        [
            *(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames),
            exc_info[0].__name__,
        ]
    )


def _configure_foreign_logs(
    complete: structlog.typing.Processor, renderer: structlog.typing.Processor
) -> None:
    """Give the lines of libraries (uvicorn, botocore, urllib3) the same form, from warnings up."""

    def text(logger: object, name: str, event: structlog.typing.EventDict) -> str:
        rendered = renderer(logger, name, event)
        return rendered.decode() if isinstance(rendered, bytes) else str(rendered)

    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[complete],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, text],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def hash_address(email: str) -> str:
    """Return what stands for an address in a log: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(email.encode()).hexdigest()[:12]


hash_from = lru_cache(maxsize=1024)(hash_address)
"""``hash_address`` for those who are few, and write often."""
