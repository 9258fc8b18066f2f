"""API keys in a JSON file, for deployments without a database."""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from limbo.adapters.files.document import decode_keys, encode_keys
from limbo.adapters.files.key_uses import FileKeyUses
from limbo.adapters.files.replaced_file import locked, replace_file
from limbo.domain.access.api_key import ApiKey
from limbo.domain.errors import ApiKeysUnavailable

_MAX_BYTES = 16 * 1024 * 1024
_LOCK_SECONDS = 10.0
# Read the file again after this time even if it looks unchanged. Two changes within one tick of the
# clock may have the same times, and a network file system may report a change late.
_TRUSTED_SECONDS = 2.0
_OTHERS_MAY_WRITE = 0o022

_Signature = tuple[int, ...]


class FileApiKeys:
    """ApiKeys in a file, which is read again whenever it has changed.

    While the file is missing or broken, or others than its owner may write it, no API key is
    found: a known one may have been revoked since, or another one planted. An api then goes on with
    those that it knows for as long as in any other outage of its store.
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
        self._uses = FileKeyUses(path, lock_seconds=lock_seconds)
        self._reading = threading.Lock()
        self._body: bytes | None = None
        self._keys: Mapping[str, ApiKey] = {}
        self._signature: _Signature | None = None
        self._trusted_until = 0.0

    def find(self, ids: Collection[str]) -> Mapping[str, ApiKey]:
        """Look the API keys up in memory, after checking that the file has not changed."""
        known = self._current()
        return self._with_uses([known[id_] for id_ in ids if id_ in known])

    def list(self) -> Sequence[ApiKey]:
        """Return the API keys in the file."""
        keys = self._with_uses(self._current().values()).values()
        return sorted(keys, key=lambda key: (key.created_at, key.id))

    def add(self, key: ApiKey) -> None:
        """Add the API key to the file. Create the file if it is missing."""
        with self._errors(), locked(self._path, self._lock_seconds):
            keys = decode_keys(self._read()[1]) if self._path.exists() else {}
            if key.id in keys:
                raise ValueError("a key of that id is there already")
            replace_file(self._path, encode_keys([*keys.values(), key]))

    def update(self, key: ApiKey) -> bool:
        """Change the API key in the file, unless it is revoked."""
        return self._change(
            key.id,
            lambda known: replace(
                known,
                name=key.name,
                scopes=key.scopes,
                allowed_from=key.allowed_from,
                networks=key.networks,
                rate=key.rate,
                read_rate=key.read_rate,
                expires_at=key.expires_at,
            ),
        )

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        """Mark the API key in the file. A second revocation changes nothing."""
        return self._change(id, lambda key: replace(key, revoked_at=at))

    def note_uses(self, uses: Mapping[str, float]) -> None:
        """Write the times into a file beside it."""
        with self._errors():
            self._uses.write(uses)

    def _change(self, id_: str, change: Callable[[ApiKey], ApiKey]) -> bool:
        with self._errors(), locked(self._path, self._lock_seconds):
            keys = decode_keys(self._read()[1])
            key = keys.get(id_)
            if key is None or key.is_revoked:
                return False
            replace_file(self._path, encode_keys({**keys, id_: change(key)}.values()))
            return True

    def _with_uses(self, keys: Collection[ApiKey]) -> Mapping[str, ApiKey]:
        uses = self._uses.read()
        return {
            key.id: replace(key, last_used_at=uses[key.id]) if key.id in uses else key
            for key in keys
        }

    def _current(self) -> Mapping[str, ApiKey]:
        with self._errors(), self._reading:
            started = self._now()
            seen = _signature(self._path.stat())
            if seen != self._signature or started >= self._trusted_until:
                self._signature = None  # if reading fails, the next call tries again
                signature, body = self._read()
                if body != self._body:
                    self._keys, self._body = decode_keys(body), body
                self._signature = signature
                self._trusted_until = started + _TRUSTED_SECONDS
            return self._keys

    def _read(self) -> tuple[_Signature, bytes]:
        with self._path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_mode & _OTHERS_MAY_WRITE:
                raise ValueError("others than its owner may write it: chmod go-w it")
            body = file.read(_MAX_BYTES + 1)
        if len(body) > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES} bytes")
        return _signature(status), body

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
    return (status.st_ino, status.st_mode, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
