"""The logs, by structlog: one line for each event, without addresses; set up once a process."""

import logging
import sys
from typing import TextIO

import orjson
import structlog

from limbo.entrypoints.telemetry.log_fields import Completion
from limbo.entrypoints.telemetry.log_output import LogOutput


def configure_logging(*, pretty: bool | None = None) -> None:
    """Write log lines to standard output: as JSON, or as readable text for a terminal."""
    pretty = sys.stdout.isatty() if pretty is None else pretty
    complete = Completion()
    renderer: structlog.typing.Processor = _as_json
    output = LogOutput(sys.stdout.buffer, b"\n")
    if pretty:
        renderer = _readable(colors=sys.stdout.isatty())
        output = LogOutput(sys.stdout, "\n")
    structlog.configure(
        processors=[complete, renderer],
        wrapper_class=_Logger,
        logger_factory=lambda *_: output,
        cache_logger_on_first_use=True,
    )
    _configure_foreign_logs(complete, renderer)


def configure_unset_logging() -> None:
    """Where nobody has set up the logs, write readable lines to standard error.

    structlog's own default draws every local variable of a traceback, subjects and bodies among
    them, wherever rich is installed.
    """
    if not structlog.is_configured():
        structlog.configure(
            processors=[Completion(), _readable(colors=sys.stderr.isatty())],
            wrapper_class=_Logger,
            logger_factory=lambda *_: LogOutput(sys.stderr, "\n"),
        )


def _readable(*, colors: bool) -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors,
        pad_event_to=16,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _configure_foreign_logs(
    complete: structlog.typing.Processor, renderer: structlog.typing.Processor
) -> None:
    """Give warnings and errors of libraries (uvicorn, botocore, urllib3) the same form."""

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


def line_logger(stream: TextIO) -> structlog.typing.FilteringBoundLogger:
    """Return a logger of its own for a command: its lines go to the stream."""
    if stream.isatty():
        renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer(colors=False)
    else:
        renderer = structlog.processors.JSONRenderer()
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[Completion(), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return logger


class _Logger(structlog.make_filtering_bound_logger(logging.INFO)):  # type: ignore[misc]
    """structlog's logger without the steps that limbo does not use: each request logs a line."""

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
