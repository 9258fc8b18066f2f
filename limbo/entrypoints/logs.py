"""Logs by structlog, set up once a process: one line an event, no address in any."""

import hashlib
import logging
import sys
import traceback

import orjson
import structlog


def configure_logging(*, pretty: bool | None = None) -> None:
    """Send every log line to standard output: as JSON, or readable when that is a terminal."""
    pretty = sys.stdout.isatty() if pretty is None else pretty
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_frames),
    ]
    renderer: structlog.typing.Processor
    if pretty:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stdout.isatty(), pad_event_to=16, sort_keys=False
        )
        own: structlog.typing.WrappedLogger = structlog.PrintLoggerFactory(sys.stdout)
    else:
        renderer = structlog.processors.JSONRenderer(serializer=orjson.dumps)
        own = structlog.BytesLoggerFactory(sys.stdout.buffer)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=own,
        cache_logger_on_first_use=True,
    )
    _configure_foreign_logs(shared, renderer)


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
