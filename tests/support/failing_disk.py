"""A disk that fails: every fsync and fdatasync of a thread, or of a process, is refused with EIO.

The kernel refuses them itself (seccomp, Linux), so that what SQLite wrote is where a failing disk
would have left it. As a program it runs limbo, and its disk fails once a file is there:
python -m tests.support.failing_disk FILE ROLE.
"""

import ctypes
import errno
import platform
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from limbo.entrypoints.cli.main import main

# The numbers of seccomp, fsync and fdatasync.
_NUMBERS = {"x86_64": (317, 74, 75), "aarch64": (277, 82, 83)}
_NO_NEW_PRIVILEGES, _FILTER, _ALL_THREADS = 38, 1, 1
_LOAD_NUMBER, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EIO

T = TypeVar("T")


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def on_a_failing_disk(function: Callable[[], T]) -> T:
    """Call the function in a thread for which every fsync fails; the others are not concerned."""
    results: list[T] = []

    def run() -> None:
        _refuse_syncs()
        results.append(function())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    [result] = results
    return result


def _refuse_syncs(*, all_threads: bool = False) -> None:
    """Let the kernel refuse them from now on, for ever."""
    seccomp, *refused = _NUMBERS[platform.machine()]
    lines: list[tuple[int, int, int, int]] = [(_LOAD_NUMBER, 0, 0, 0)]
    lines += [
        (_JUMP_IF_EQUAL, len(refused) - index, 0, number) for index, number in enumerate(refused)
    ]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    program = (_Instruction * len(lines))(*(_Instruction(*line) for line in lines))
    libc: Any = ctypes.CDLL(None, use_errno=True)
    done = libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.syscall(
        seccomp,
        _FILTER,
        _ALL_THREADS if all_threads else 0,
        ctypes.byref(_Filter(len(lines), program)),
    )
    assert done == 0, f"seccomp: {errno.errorcode.get(ctypes.get_errno())}"


def _fail_once_there_is(file: Path) -> None:
    while not file.exists():
        time.sleep(0.01)
    _refuse_syncs(all_threads=True)
    file.with_suffix(".done").touch()


if __name__ == "__main__":
    threading.Thread(target=_fail_once_there_is, args=[Path(sys.argv[1])], daemon=True).start()
    sys.exit(main(sys.argv[2:]))
