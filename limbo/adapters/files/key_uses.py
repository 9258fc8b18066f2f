"""When each API key was last used, in a file beside that of the keys.

It is apart because the api writes it, which need not be able to write the keys, and because what
people edit should not change under them.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson

from limbo.adapters.files.replaced_file import locked, replace_file

_MAX_BYTES = 4 * 1024 * 1024


class FileKeyUses:
    """Times by the id of the key, in seconds since the epoch. OSError says that writing failed."""

    def __init__(self, keys: Path, *, lock_seconds: float) -> None:
        self._path = keys.with_name(f"{keys.name}.uses")
        self._lock_seconds = lock_seconds

    def read(self) -> Mapping[str, float]:
        """Return the times; none if the file is missing or cannot be read."""
        try:
            with self._path.open("rb") as file:
                document = orjson.loads(file.read(_MAX_BYTES))
        except (OSError, ValueError):
            return {}
        if not isinstance(document, dict):
            return {}
        return {
            id_: float(at)
            for id_, at in document.items()
            if isinstance(at, int | float) and not isinstance(at, bool)
        }

    def write(self, uses: Mapping[str, float]) -> None:
        """Record the times that are later than those recorded already."""
        with locked(self._path, self._lock_seconds):
            known = self.read()
            later = {id_: at for id_, at in uses.items() if at > known.get(id_, 0.0)}
            if later:
                replace_file(self._path, orjson.dumps({**known, **later}))
