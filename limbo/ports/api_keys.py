"""The port to the API keys."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from limbo.domain.access.api_key import ApiKey


class ApiKeys(Protocol):
    """Where the API keys are stored, as hashes. Its methods raise ApiKeysUnavailable."""

    def find(self, ids: Collection[str]) -> Mapping[str, ApiKey]:
        """Return those API keys of the ids that exist, by id, in force or not.

        One among many that cannot be read is left out: it must not keep the others from being
        known. ApiKeysUnavailable says so if it is the only one that is asked for.
        """
        ...

    def list(self) -> Sequence[ApiKey]:
        """Return all API keys, oldest first."""
        ...

    def add(self, key: ApiKey) -> None:
        """Store a new API key."""
        ...

    def update(self, key: ApiKey) -> bool:
        """Give the API key of that id what may change of it, unless it is revoked.

        That is its name, scopes, From allow-list, networks, rates and expiry. Return whether there
        was one to change.
        """
        ...

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        """Mark an API key as revoked since that time. Return whether there was one to revoke."""
        ...

    def note_uses(self, uses: Mapping[str, float]) -> None:
        """Record when each API key was last used, by id, unless a later use is recorded already."""
        ...
