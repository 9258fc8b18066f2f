"""API keys: who may do what, and which From addresses they may use."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from limbo.domain.access.allow_list import AllowList
from limbo.domain.access.credential import Credential, is_key_id
from limbo.domain.access.rate import Rate
from limbo.domain.mail.address import Address
from limbo.domain.mail.text import header_line_problem

MAX_NAME = 64
ANONYMOUS = "anonymous"  # never the id of a key: those have ten characters
_NOBODYS_SHA256 = "0" * 64


class KeyScope(StrEnum):
    """What an API key may be used for. No scope includes another."""

    SEND = "send"
    """Submit mails from the addresses on the key's allow-list, and cancel them."""
    READ = "read"
    """See what happened to mails: the client's own, or with ``admin`` those of all clients."""
    ADMIN = "admin"
    """List, redrive and drop the dead letters of all clients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The one who makes a request. The ledger stores its ``id``."""

    id: str
    scopes: frozenset[KeyScope]
    allowed_from: AllowList

    def may_send_from(self, address: Address) -> bool:
        """Tell whether a mail of this client may be from the address."""
        return KeyScope.SEND in self.scopes and self.allowed_from.allows(address)

    @property
    def visible_client(self) -> str | None:
        """The client whose mails this client sees: itself, or None for those of all clients."""
        return None if KeyScope.ADMIN in self.scopes else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What limbo stores of an API key: all but its secret. Times are seconds since the epoch.

    Raises ValueError for values that make no sense together.
    """

    id: str
    name: str
    sha256: str = field(repr=False)
    scopes: frozenset[KeyScope]
    allowed_from: AllowList
    rate: Rate | None = None
    created_at: float
    revoked_at: float | None = None

    def __post_init__(self) -> None:
        if not is_key_id(self.id):
            raise ValueError("id: is not that of a key")
        if problem := _name_problem(self.name):
            raise ValueError(f"name: {problem}")
        if not self.scopes:
            raise ValueError("scopes: must name one at least")
        if KeyScope.SEND in self.scopes and not self.allowed_from.rules:
            raise ValueError("from: must say what a key with the scope send may send from")
        if KeyScope.SEND not in self.scopes and self.allowed_from.rules:
            raise ValueError("from: is only for a key with the scope send")

    @property
    def is_revoked(self) -> bool:
        """True once the key has been revoked, even if this machine's clock is behind."""
        return self.revoked_at is not None

    @property
    def client(self) -> Client:
        """The client that uses the key."""
        return Client(id=self.id, scopes=self.scopes, allowed_from=self.allowed_from)


def is_secret_of(credential: Credential, key: ApiKey | None) -> bool:
    """Tell whether the secret belongs to the key. It takes as long when there is no such key."""
    expected = _NOBODYS_SHA256 if key is None else key.sha256
    return hmac.compare_digest(credential.sha256, expected) and key is not None


def parse_scopes(names: Iterable[str]) -> frozenset[KeyScope]:
    """Read names of scopes; raises ValueError."""
    try:
        return frozenset(map(KeyScope, names))
    except ValueError:
        raise ValueError(f"must be of {', '.join(KeyScope)}") from None


def _name_problem(name: str) -> str | None:
    if not name.strip():
        return "must not be empty"
    return header_line_problem(name, MAX_NAME)
