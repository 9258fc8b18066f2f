"""Logs our own errors without what the client sent."""

import traceback

import structlog


def log_failure(log: structlog.stdlib.BoundLogger, event: str, error: Exception) -> None:
    """Log an error's type and where it was raised; its message may hold the client's data."""
    frames = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    log.error(event, error=type(error).__name__, frames=frames)
