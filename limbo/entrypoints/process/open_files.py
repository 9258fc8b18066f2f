"""How many files a process may have open; a connection is one."""

import resource
from contextlib import suppress

_ENOUGH = 1_048_576


def raise_open_files() -> int:
    """Raise the limit of this process to its hard limit; return how many files it may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS knows no end as a hard limit, and takes it not
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft
