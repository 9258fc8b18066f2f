"""What all tests share."""

import os

import structlog
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.forked", "tests.support.moto", "tests.support.postgres"]

# How long an example takes says nothing on a machine that runs other tests beside this one.
settings.register_profile("limbo", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("limbo")

# The tracebacks of structlog's default draw every local variable, and colors tear words apart.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


def pytest_xdist_auto_num_workers() -> int:
    """Run more tests at once than there are cores: many of them wait."""
    return 2 * len(os.sched_getaffinity(0))
