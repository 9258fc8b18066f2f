"""A small disk: a real one where this user may mount one, else as much of one as limbo can see.

As a program it runs limbo on the latter: python -m tests.torture.small_disk BYTES ROLE.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from limbo.entrypoints.cli.main import main

_PAGE = 4096
_Usage = namedtuple("_Usage", "total used free")  # noqa: PYI024 - as shutil's own


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Sequence[str] | None]:
    """Make the folder a disk of so many bytes; yield the program for it, if limbo needs one."""
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "", "-t", "tmpfs", "-o", f"size={size}", "limbo", str(folder)]
    if mount and subprocess.run(command, check=False, capture_output=True).returncode == 0:
        try:
            yield None
        finally:
            subprocess.run([shutil.which("umount") or "", str(folder)], check=True)
    else:
        yield (sys.executable, "-m", "tests.torture.small_disk", str(size))


@contextmanager
def filled(folder: Path, size: int) -> Iterator[None]:
    """Leave nothing free on the disk for as long as the block lasts."""
    filler = folder / "filler"
    try:
        with filler.open("wb") as file:
            if folder.is_mount():
                _write_all(file.fileno(), size)
            else:
                file.truncate(size)
        yield
    finally:
        filler.unlink()


def _write_all(file: int, size: int) -> None:
    for _ in range(size // _PAGE):
        try:
            os.write(file, bytes(_PAGE))
        except OSError:
            return


class _SmallConnection(sqlite3.Connection):
    def __init__(self, *args, size: int, **options):
        super().__init__(*args, **options)
        self.execute(f"PRAGMA max_page_count = {size // _PAGE}")


def _usage(path: Path, *, size: int):
    used = sum(file.stat().st_size for file in Path(path).iterdir())
    return _Usage(size, used, max(0, size - used))


if __name__ == "__main__":
    _size = int(sys.argv[1])
    sqlite3.connect = partial(sqlite3.connect, factory=partial(_SmallConnection, size=_size))
    shutil.disk_usage = partial(_usage, size=_size)
    sys.exit(main(sys.argv[2:]))
