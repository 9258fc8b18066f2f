"""API keys in memory, for tests of what uses them."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from limbo.domain.access.api_key import ApiKey


class MemoryApiKeys:
    """API keys that a test adds, changes and revokes."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = {key.id: key for key in keys}

    def find(self, ids: Collection[str]) -> Mapping[str, ApiKey]:
        return {id_: self.keys[id_] for id_ in ids if id_ in self.keys}

    def list(self) -> list[ApiKey]:
        return sorted(self.keys.values(), key=lambda key: (key.created_at, key.id))

    def add(self, key: ApiKey) -> None:
        self.keys[key.id] = key

    def update(self, key: ApiKey) -> bool:
        return self._replace(key)

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        return id in self.keys and self._replace(replace(self.keys[id], revoked_at=at))

    def note_uses(self, uses: Mapping[str, float]) -> None:
        for id_, at in uses.items():
            self.keys[id_] = replace(self.keys[id_], last_used_at=at)

    def _replace(self, key: ApiKey) -> bool:
        is_there = key.id in self.keys and not self.keys[key.id].is_revoked
        if is_there:
            self.keys[key.id] = key
        return is_there
