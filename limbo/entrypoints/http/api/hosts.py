"""The hosts that a request may be meant for, and the pages that may ask for a change."""

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]/@]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_PORTS = {"http": "80", "https": "443"}


class HostPolicy:
    """Says which Host headers are answered, and which Origins may ask for a change.

    ``listens_on`` is the address of the server. ``allowed`` are further hosts, perhaps with a port:
    those that a proxy in front of it answers for.
    """

    def __init__(self, *, listens_on: str, allowed: Collection[str] = ()) -> None:
        self._is_local = is_loopback(listens_on)
        self._allowed = frozenset(host.lower() for host in allowed)
        self.answers = lru_cache(maxsize=256)(self._answers)  # most clients send the same

    def _answers(self, host: str) -> bool:
        """Say whether a request with that Host is meant for this server.

        A name that a foreign page has made point to this machine (DNS rebinding) is none of its
        own; an IP address cannot be made to.
        """
        if not self._is_local and not self._allowed:
            return True
        found = _AUTHORITY.fullmatch(host)
        if found is None:
            return False
        name = found[1].lower()
        if is_loopback(name) or name in self._allowed or host.lower() in self._allowed:
            return True
        return not self._is_local and _address(name) is not None

    def allows(self, origin: str) -> bool:
        """Say whether an Origin is that of one of the hosts that are allowed besides."""
        return bool(self._allowed) and any(is_same(origin, host) for host in self._allowed)


@lru_cache(maxsize=256)
def is_same(origin: str, host: str) -> bool:
    """Say whether an Origin and a Host are one host and port, be it by HTTP or HTTPS."""
    scheme, _, authority = origin.lower().partition("://")
    if (port := _PORTS.get(scheme)) is None:
        return False
    asking = _with_port(authority, port)
    return asking is not None and asking == _with_port(host.lower(), port)


def is_loopback(host: str) -> bool:
    """Say whether a host, by name or address, is this machine and reached from it alone."""
    address = _address(host)
    return address.is_loopback if address is not None else host.lower() == "localhost"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _with_port(authority: str, port: str) -> tuple[str, str] | None:
    found = _AUTHORITY.fullmatch(authority)
    return None if found is None else (found[1], found[2] or port)
