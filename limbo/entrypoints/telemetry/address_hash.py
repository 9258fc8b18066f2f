"""The form of an address in a log: a hash that only this installation can make."""

import hmac
import secrets
from functools import lru_cache
from typing import Self

_SECRET_BYTES = 32
_SENDERS = 1024


class AddressHash:
    """Hashes addresses under a secret: the first 12 hex digits of their HMAC-SHA256 (RFC 2104).

    A plain hash would be undone by hashing all addresses that somebody knows. The case of an
    address does not matter, as for the ledger.
    """

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, digestmod="sha256")  # a copy of it costs half of a new one
        self.of_sender = lru_cache(maxsize=_SENDERS)(self.__call__)
        """The same with a cache, for the few addresses that send many mails."""

    @classmethod
    def random(cls) -> Self:
        """Return one under a secret of this process. Its hashes match those of no other process."""
        return cls(secrets.token_bytes(_SECRET_BYTES))

    def __call__(self, email: str) -> str:
        """Return the hash of an address in its ASCII form."""
        keyed = self._keyed.copy()
        keyed.update(email.lower().encode())
        return keyed.hexdigest()[:12]
