"""Which addresses of clients something is meant for."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_FORM = "must be a network such as 10.0.0.0/8 or 2001:db8::/32, or an address"
_MAPPED = IPv6Network("::ffff:0:0/96")
_IPV4_BITS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks of IPv4 and IPv6, each written as CIDR (RFC 4632, RFC 4291)."""

    all: frozenset[IPv4Network | IPv6Network] = frozenset()

    def hold(self, address: str) -> bool:
        """Tell whether one of the networks holds the address. None holds what is no address."""
        ip = read_address(address)
        return ip is not None and any(ip in network for network in self.all)

    @property
    def texts(self) -> tuple[str, ...]:
        """The networks as text, in one order."""
        return tuple(sorted(map(str, self.all)))


NO_NETWORKS = Networks()


def parse_networks(texts: Iterable[str]) -> Networks:
    """Read networks and single addresses; raises ValueError, which does not repeat the text.

    A network of mapped addresses becomes that of IPv4, as its addresses do: see ``read_address``.
    """
    return Networks(frozenset(map(_network, texts)))


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address, or None if the text is none.

    An IPv4 address that a socket of IPv6 has mapped (RFC 4291, section 2.5.5.2) is the one of IPv4.
    """
    try:
        ip = ip_address(text)
    except ValueError:
        return None
    return (ip.ipv4_mapped if isinstance(ip, IPv6Address) else None) or ip


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        problem = "has bits behind its prefix" if "host bits" in str(error) else _FORM
        raise ValueError(problem) from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = int(network.network_address) & _IPV4_BITS
        return IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network
