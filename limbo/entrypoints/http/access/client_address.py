"""Where a request comes from: the peer, or what a trusted proxy says of it."""

import re

from starlette.types import Scope

from limbo.domain.access.networks import NO_NETWORKS, Networks, read_address
from limbo.entrypoints.http.server.headers import header

TRUSTED_PROXIES = "limbo.trusted_proxies"
"""The name, in the lifespan's state, of the Networks of the proxies in front of limbo."""
UNKNOWN = "unknown"
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


def client_address(scope: Scope) -> str:
    """Return the address of the client in its shortest form, or UNKNOWN.

    X-Forwarded-For counts only as far as trusted proxies wrote it: it is read from its end, where
    each proxy adds the address that it was called from, up to the first that is no trusted proxy.
    What is left of that can be anything that the client wished. An entry that is no address ends
    it as UNKNOWN, which is in no network.
    """
    client = scope.get("client")
    address = read_address(client[0]) if client else None
    trusted: Networks = (scope.get("state") or {}).get(TRUSTED_PROXIES, NO_NETWORKS)
    if not trusted.all or address is None:  # the common case: no proxy is trusted
        return UNKNOWN if address is None else str(address)
    forwarded = header(scope, b"x-forwarded-for").decode("latin-1")
    while forwarded and trusted.hold(str(address)):
        forwarded, _, entry = forwarded.rpartition(",")
        address = read_address(_without_port(entry.strip()))
        if address is None:
            return UNKNOWN
    return str(address)


def _without_port(entry: str) -> str:
    """Return the address of ``192.0.2.1:4711`` or ``[2001:db8::1]:4711``, as some proxies write."""
    found = _WITH_PORT.fullmatch(entry)
    return (found[1] or found[2]) if found else entry
