"""What all tests share."""

import os

pytest_plugins = ["tests.support.moto", "tests.support.postgres"]


def pytest_xdist_auto_num_workers() -> int:
    """Run more tests at once than there are cores: many of them wait."""
    return 2 * len(os.sched_getaffinity(0))
