"""Which From addresses an API key allows."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from limbo.domain.mail.address import Address, parse_address

ANY = "*"
_FORMS = "boss@x.example, @x.example (that domain), @*.x.example (its subdomains) or * (any)"


@dataclass(frozen=True, slots=True)
class AllowList:
    """Rules in lower-case ASCII. One matching rule allows an address; an empty list allows none.

    ``@x.example`` covers only that domain. ``@*.x.example`` covers its subdomains, but not
    ``x.example`` itself.
    """

    rules: frozenset[str] = field(default=frozenset(), repr=False)

    def allows(self, address: Address) -> bool:
        """Tell whether mails may be from the address. The address's name does not matter."""
        if ANY in self.rules:
            return True
        if not address.email.isascii():  # rules are ASCII, and lower() turns a Kelvin sign into k
            return False
        email = address.email.lower()
        domain = email.rpartition("@")[2]
        if email in self.rules or f"@{domain}" in self.rules:
            return True
        labels = domain.split(".")
        above = (".".join(labels[start:]) for start in range(1, len(labels)))
        return any(f"@*.{parent}" in self.rules for parent in above)


def parse_allow_list(texts: Iterable[str]) -> AllowList:
    """Read rules as people write them, in any case and script.

    Raises ValueError. Its text says what a rule may be, and does not repeat the rule.
    """
    return AllowList(frozenset(map(_rule, texts)))


def _rule(text: str) -> str:
    text = text.strip()
    if text == ANY:
        return ANY
    local, at, domain = text.rpartition("@")
    if not at:
        msg = f"must be {_FORMS}"
        raise ValueError(msg)
    below = "*." if domain.startswith("*.") and not local else ""
    address = parse_address(f"{local or 'any'}@{domain.removeprefix(below)}")
    if address.name or "<" in text:
        msg = f"must have no name: {_FORMS}"
        raise ValueError(msg)
    email = address.email.lower()
    return email if local else f"@{below}{email.rpartition('@')[2]}"
