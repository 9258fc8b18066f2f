"""The port to the API keys."""

from collections.abc import Sequence
from typing import Protocol

from limbo.domain.access.api_key import ApiKey


class ApiKeys(Protocol):
    """Where the API keys are stored, as hashes. Its methods raise ApiKeysUnavailable."""

    def find(self, id: str) -> ApiKey | None:  # noqa: A002
        """Return the API key with that id, revoked or not, or None."""
        ...

    def list(self) -> Sequence[ApiKey]:
        """Return all API keys, oldest first."""
        ...

    def add(self, key: ApiKey) -> None:
        """Store a new API key."""
        ...

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        """Mark an API key as revoked since that time. Return whether there was one to revoke."""
        ...
