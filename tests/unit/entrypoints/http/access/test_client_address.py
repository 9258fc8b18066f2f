import pytest

from limbo.domain.access.networks import NO_NETWORKS, parse_networks
from limbo.entrypoints.http.access.client_address import TRUSTED_PROXIES, client_address

PROXIES = parse_networks(["10.0.0.0/8", "2001:db8::/32", "127.0.0.1"])


def scope(peer, *forwarded, trusted=PROXIES):
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    client = None if peer is None else (peer, 4711)
    return {"client": client, "headers": headers, "state": {TRUSTED_PROXIES: trusted}}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["1.1.1.1, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["1.1.1.1, 192.0.2.7, 10.9.9.9,127.0.0.1"], "192.0.2.7"),
        ("10.0.0.1", ["1.1.1.1", "192.0.2.7", "10.9.9.9"], "192.0.2.7"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("2001:db8::1", ["2001:DB9:0::5"], "2001:db9::5"),
        ("::ffff:10.0.0.1", ["::ffff:192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["192.0.2.7:4711"], "192.0.2.7"),
        ("10.0.0.1", ["[2001:db9::5]:4711"], "2001:db9::5"),
        ("10.0.0.1", ["[2001:db9::5]"], "2001:db9::5"),
        ("10.0.0.1", ["192.0.2.7, unknown"], "unknown"),
        ("10.0.0.1", ["192.0.2.7, "], "unknown"),
        ("10.0.0.1", ["192.0.2.7, ÿ"], "unknown"),
        ("10.0.0.1", ["10.0.0.2 10.0.0.3"], "unknown"),
        ("192.0.2.9", ["10.0.0.5"], "192.0.2.9"),
        ("127.0.0.2", ["10.0.0.5"], "127.0.0.2"),
        ("testclient", ["10.0.0.5"], "unknown"),
        (None, ["10.0.0.5"], "unknown"),
    ],
)
def test_a_header_counts_as_far_as_trusted_proxies_wrote_it(peer, forwarded, address):
    assert client_address(scope(peer, *forwarded)) == address


@pytest.mark.parametrize("peer", ["10.0.0.1", "127.0.0.1", "2001:db8::1"])
def test_without_trusted_proxies_the_peer_counts_alone(peer):
    assert client_address(scope(peer, "192.0.2.7", trusted=NO_NETWORKS)) == peer
    assert client_address({"client": (peer, 1), "headers": [(b"x-forwarded-for", b"1.1.1.1")]}) == (
        peer
    )


def test_an_unknown_address_is_in_no_network():
    assert not parse_networks(["0.0.0.0/0", "::/0"]).hold("unknown")


def test_a_long_header_is_read_no_further_than_it_counts():
    assert client_address(scope("10.0.0.1", "x," * 30_000 + "192.0.2.7")) == "192.0.2.7"
    assert client_address(scope("10.0.0.1", "10.0.0.2," * 3_000 + "10.0.0.1")) == "10.0.0.2"
