"""API keys in a JSON file, for deployments without a database."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from limbo.adapters.files.document import decode_keys, encode_keys
from limbo.adapters.files.replaced_file import locked, replace_file
from limbo.domain.access.api_key import ApiKey
from limbo.domain.errors import ApiKeysUnavailable

_MAX_BYTES = 16 * 1024 * 1024
_LOCK_SECONDS = 10.0
# Read the file again after this time even if it looks unchanged. Two changes within one tick of the
# clock may have the same times, and a network file system may report a change late.
_TRUSTED_SECONDS = 10.0

_Signature = tuple[int, ...]


class FileApiKeys:
    """ApiKeys in a file, which is read again whenever it has changed.

    While the file is missing or broken, no API key is accepted: a known one may have been revoked
    since.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float] = time.monotonic,
        lock_seconds: float = _LOCK_SECONDS,
    ) -> None:
        self._path = path
        self._now = now
        self._lock_seconds = lock_seconds
        self._reading = threading.Lock()
        self._keys: Mapping[str, ApiKey] = {}
        self._signature: _Signature | None = None
        self._trusted_until = 0.0

    def find(self, id: str) -> ApiKey | None:  # noqa: A002
        """Look up one API key in memory, after checking that the file has not changed."""
        return self._current().get(id)

    def list(self) -> Sequence[ApiKey]:
        """Return the API keys in the file."""
        return sorted(self._current().values(), key=lambda key: (key.created_at, key.id))

    def add(self, key: ApiKey) -> None:
        """Add the API key to the file. Create the file if it is missing."""
        with self._errors(), locked(self._path, self._lock_seconds):
            keys = self._read()[1] if self._path.exists() else {}
            if key.id in keys:
                raise ValueError("a key of that id is there already")
            replace_file(self._path, encode_keys([*keys.values(), key]))

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        """Mark the API key in the file. A second revocation changes nothing."""
        with self._errors(), locked(self._path, self._lock_seconds):
            keys = self._read()[1]
            key = keys.get(id)
            if key is None or key.is_revoked:
                return False
            revoked = {**keys, id: replace(key, revoked_at=at)}
            replace_file(self._path, encode_keys(revoked.values()))
            return True

    def _current(self) -> Mapping[str, ApiKey]:
        with self._errors(), self._reading:
            started = self._now()
            seen = _signature(self._path.stat())
            if seen != self._signature or started >= self._trusted_until:
                self._signature = None  # if reading fails, the next call tries again
                self._signature, self._keys = self._read()
                self._trusted_until = started + _TRUSTED_SECONDS
            return self._keys

    def _read(self) -> tuple[_Signature, Mapping[str, ApiKey]]:
        with self._path.open("rb") as file:
            signature = _signature(os.fstat(file.fileno()))
            body = file.read(_MAX_BYTES + 1)
        if len(body) > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES} bytes")
        return signature, decode_keys(body)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate errors of the file. Their texts contain nothing from the file."""
        try:
            yield
        except TimeoutError:
            msg = f"{self._path}: another process has been writing it for too long"
            raise ApiKeysUnavailable(msg) from None
        except OSError as error:
            raise ApiKeysUnavailable(f"{self._path}: {error.strerror}") from None
        except ValueError as error:
            raise ApiKeysUnavailable(f"{self._path}: {error}") from None


def _signature(status: os.stat_result) -> _Signature:
    """Return values that differ if the file has changed."""
    return (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
