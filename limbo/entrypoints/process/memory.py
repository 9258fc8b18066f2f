"""The memory of a process."""

import ctypes
import os
from pathlib import Path

_STATM = Path("/proc/self/statm")


def give_back_freed_memory() -> None:
    """Have the C library give back what is free, which may take some ms; glibc alone can.

    It keeps pages between blocks that are in use: after a burst of large bodies, most of them.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident_bytes() -> int:
    """Return how much memory this process holds; 0 where the system does not tell (not Linux)."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
