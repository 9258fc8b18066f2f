"""The memory of a process."""

import ctypes


def give_back_freed_memory() -> None:
    """Have the C library give back what is free, which may take some ms; glibc alone can.

    It keeps pages between blocks that are in use: after a burst of large bodies, most of them.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
