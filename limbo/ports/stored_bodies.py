"""The port that counts stored mails by the key that encrypts them."""

from collections.abc import Mapping
from typing import Protocol

KeyCounts = Mapping[str | None, int]
"""How many mails are encrypted under the key of each name; under None those that are in plain."""


class StoredBodies(Protocol):
    """Tells when an old key is no longer needed. Raises QueueUnavailable."""

    def count(self) -> Mapping[str, KeyCounts]:
        """Count the mails in each place. It reads the head of each, so do not poll it.

        A place that cannot be looked through (an SQS queue) is missing.
        """
        ...
