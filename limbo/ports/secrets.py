"""The port to the secrets that an installation makes for itself."""

from typing import Protocol


class Secrets(Protocol):
    """Where an installation keeps secrets of its own, shared by all its processes."""

    def secret(self, name: str) -> bytes:
        """Return the 32 random bytes of that name, made when they are first asked for.

        Every process gets the same. Raises SecretsUnavailable.
        """
        ...
