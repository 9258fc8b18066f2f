"""What all tests of the worker share."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def plain_tracebacks():
    """Write a traceback plainly: to draw one with every variable is slow."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])
    yield
    structlog.reset_defaults()
