"""API keys in memory, for tests of what uses them."""

from limbo.domain.access.api_key import ApiKey


class MemoryApiKeys:
    """API keys that a test adds; none can be revoked."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = {key.id: key for key in keys}

    def find(self, id: str) -> ApiKey | None:  # noqa: A002
        return self.keys.get(id)

    def list(self) -> list[ApiKey]:
        return [*self.keys.values()]

    def add(self, key: ApiKey) -> None:
        self.keys[key.id] = key

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        raise NotImplementedError
