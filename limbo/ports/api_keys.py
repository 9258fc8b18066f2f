"""The port to the API keys."""

from collections.abc import Sequence
from typing import Protocol

from limbo.domain.access.api_key import ApiKey


class ApiKeys(Protocol):
    """Where the API keys are kept, as hashes. Methods raise ApiKeysUnavailable."""

    def find(self, id: str) -> ApiKey | None:  # noqa: A002
        """Return the key of that id, revoked or not, or None."""
        ...

    def list(self) -> Sequence[ApiKey]:
        """Return all keys, oldest first."""
        ...

    def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        ...

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        """Mark a key as revoked from that time on; return whether there was one to revoke."""
        ...
