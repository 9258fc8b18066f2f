"""API keys: who may do what, and send as whom."""

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
ANONYMOUS = "anonymous"  # no key's id: those have ten characters
_NOBODYS_SHA256 = "0" * 64


class KeyScope(StrEnum):
    """What a key is good for; none implies another."""

    SEND = "send"
    """Submit mails, from the addresses on the key's allow-list, and cancel them."""
    READ = "read"
    """See what became of mails: one's own, or with ``admin`` everybody's."""
    ADMIN = "admin"
    """List, redrive and drop the dead letters, which are everybody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Whoever makes a request: ``id`` is what the ledger knows it by."""

    id: str
    scopes: frozenset[KeyScope]
    allowed_from: AllowList

    def may_send_from(self, address: Address) -> bool:
        """Tell whether a mail of this client may be from the address."""
        return KeyScope.SEND in self.scopes and self.allowed_from.allows(address)

    @property
    def visible_client(self) -> str | None:
        """The client whose mails it sees: itself, or None, which stands for everybody."""
        return None if KeyScope.ADMIN in self.scopes else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is kept of a key: all but its secret; times in seconds since the epoch.

    Raises ValueError for a key that nobody could mean.
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
        """True from the revocation on, even where the clock is behind the one that revoked it."""
        return self.revoked_at is not None

    @property
    def client(self) -> Client:
        """Whoever holds the key."""
        return Client(id=self.id, scopes=self.scopes, allowed_from=self.allowed_from)


def is_secret_of(credential: Credential, key: ApiKey | None) -> bool:
    """Tell whether the secret is the key's; takes as long when there is no such key."""
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
