"""Parsers for who may use the api: apart, as a health check needs the others alone.

Each raises ValueError with a text that ends the sentence "LIMBO_… must be …".
"""

from limbo.domain.access.api_key import KeyScope
from limbo.domain.access.networks import Networks, parse_networks


def anonymous_scopes(value: str) -> frozenset[KeyScope]:
    """Read `false`, `true` (to send), or scopes, comma-separated: never `admin`."""
    if value.lower() == "false":
        return frozenset()
    if value.lower() == "true":
        return frozenset({KeyScope.SEND})
    names = {item.strip() for item in value.split(",")}
    if not names <= {KeyScope.SEND, KeyScope.READ}:
        raise ValueError("false, true, or of send and read, comma-separated")
    return frozenset(map(KeyScope, names))


def networks(value: str) -> Networks:
    """Read one or more networks, comma-separated."""
    try:
        return parse_networks(value.split(","))
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8, comma-separated") from None
