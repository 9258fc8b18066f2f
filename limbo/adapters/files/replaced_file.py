"""A small file that is replaced as a whole. A reader sees the old file or the new one."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_SECONDS = 0.02


@contextlib.contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Return a block in which no other process replaces the file. Raises TimeoutError.

    It locks a second file beside it, because each replacement makes the file a new one.
    """
    path = path.resolve()
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, seconds)
        yield
    finally:
        os.close(descriptor)


def replace_file(path: Path, body: bytes) -> None:
    """Write the file durably. An existing file keeps its owner and mode; a new one is private."""
    path = path.resolve()  # so that a symbolic link stays one
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _keep_owner_and_mode(path, descriptor)
            file.write(body)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
    _sync_folder(path.parent)


def _lock(descriptor: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _keep_owner_and_mode(path: Path, descriptor: int) -> None:
    """Let the current readers, such as the api, read a file that root has replaced."""
    with contextlib.suppress(FileNotFoundError):
        before = path.stat()
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, before.st_mode & 0o777)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
