"""Counts what each of many may have of something that is scarce."""

import ipaddress
from collections.abc import Hashable

_IPV6_BYTES = 8  # a /64 is one network, often one machine


class Shares:
    """How much each key holds; one key may hold up to ``most``. It forgets keys that hold none."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[Hashable, int] = {}

    def take(self, key: Hashable, amount: int) -> bool:
        """Give the key as much more; or nothing, and return False, if it would hold too much."""
        held = self._held.get(key, 0) + amount
        if held > self._most:
            return False
        self._held[key] = held
        return True

    def give_back(self, key: Hashable, amount: int) -> None:
        """Take as much back from the key."""
        if (left := self._held.get(key, 0) - amount) > 0:
            self._held[key] = left
        else:
            self._held.pop(key, None)


def peer_of(address: tuple[str, int] | None) -> str:
    """Return what counts as one peer: an IPv4 address, or the /64 of an IPv6 address."""
    host = address[0] if address else ""
    if ":" not in host:
        return host
    network = ipaddress.IPv6Address(host.partition("%")[0])
    if network.ipv4_mapped is not None:
        return str(network.ipv4_mapped)
    return f"{ipaddress.IPv6Address(network.packed[:_IPV6_BYTES] + bytes(_IPV6_BYTES))}/64"
