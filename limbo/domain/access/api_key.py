"""API keys: who may do what, and which From addresses they may use."""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from limbo.domain.access.allow_list import AllowList
from limbo.domain.access.credential import Credential, is_key_id
from limbo.domain.access.networks import NO_NETWORKS, Networks
from limbo.domain.access.rate import Rate
from limbo.domain.mail.address import Address
from limbo.domain.mail.text import header_line_problem

MAX_NAME = 64
ANONYMOUS = "anonymous"  # the client of those without a key; no key may belong to it
_NOBODYS_SHA256 = "0" * 64
CLIENT_PATTERN = "[a-z0-9][a-z0-9._-]{0,63}"
"""What every client's name fits, as a regular expression; the id of a key fits it as well."""
_CLIENT = re.compile(CLIENT_PATTERN)


class KeyScope(StrEnum):
    """What an API key may be used for. No scope includes another."""

    SEND = "send"
    """Submit mails from the addresses on the key's allow-list, and cancel them."""
    READ = "read"
    """See what happened to mails: the client's own, or with ``admin`` those of all clients."""
    ADMIN = "admin"
    """List, redrive and drop the dead letters of all clients; cancel mails of all clients."""


class KeyState(Enum):
    """Whether an API key is good for anything."""

    IN_FORCE = "in force"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The one who makes a request. The ledger stores its ``id``, and the id of its ``key``."""

    id: str
    key: str | None = None
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

    Keys of one ``client_id`` share its mails, its idempotency keys and its rate; without one, a key
    is a client of its own. What needs the scope send is held to ``rate``, all else to
    ``read_rate``, which is as large unless it is given. Without ``networks`` the key is good
    everywhere. ``last_used_at`` may be a minute old. ``client`` is who uses the key.

    Raises ValueError for values that make no sense together.
    """

    id: str
    client_id: str | None = None
    name: str
    sha256: str = field(repr=False)
    scopes: frozenset[KeyScope]
    allowed_from: AllowList
    networks: Networks = field(default=NO_NETWORKS, repr=False)
    rate: Rate | None = None
    read_rate: Rate | None = None
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None
    client: Client = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not is_key_id(self.id):
            raise ValueError("id: is not that of a key")
        if self.client_id is not None and (problem := _client_problem(self.client_id)):
            raise ValueError(f"client: {problem}")
        if problem := _name_problem(self.name):
            raise ValueError(f"name: {problem}")
        if not self.scopes:
            raise ValueError("scopes: must name one at least")
        if KeyScope.SEND in self.scopes and not self.allowed_from.rules:
            raise ValueError("from: must say what a key with the scope send may send from")
        if KeyScope.SEND not in self.scopes and self.allowed_from.rules:
            raise ValueError("from: is only for a key with the scope send")
        client = Client(
            id=self.client_id or self.id,
            key=self.id,
            scopes=self.scopes,
            allowed_from=self.allowed_from,
        )
        object.__setattr__(self, "client", client)  # made once, as each request asks for it

    @property
    def is_revoked(self) -> bool:
        """True once the key has been revoked, even if this machine's clock is behind."""
        return self.revoked_at is not None

    def state(self, now: float) -> KeyState:
        """Tell whether the key is in force at that time."""
        if self.is_revoked:
            return KeyState.REVOKED
        is_over = self.expires_at is not None and now >= self.expires_at
        return KeyState.EXPIRED if is_over else KeyState.IN_FORCE

    def is_good_at(self, address: str) -> bool:
        """Tell whether the key may be used from the address."""
        return not self.networks.all or self.networks.hold(address)

    def rate_for(self, scope: KeyScope) -> Rate | None:
        """Return the rate of the requests that need the scope; None if there is none."""
        return self.rate if scope is KeyScope.SEND else self.read_rate or self.rate


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


def _client_problem(client_id: str) -> str | None:
    if client_id == ANONYMOUS:
        return f"must not be {ANONYMOUS}, which is everybody without a key"
    if not _CLIENT.fullmatch(client_id):
        return "must be 1 to 64 of a-z 0-9 . _ - and begin with a letter or a digit"
    return None
