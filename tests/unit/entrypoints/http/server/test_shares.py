import pytest

from limbo.entrypoints.http.server.shares import Shares, peer_of


def test_each_key_has_its_share():
    shares = Shares(10)
    assert shares.take("a", 10)
    assert not shares.take("a", 1)
    assert shares.take("b", 10)


def test_what_is_refused_takes_nothing_and_what_is_given_back_can_be_taken():
    shares = Shares(10)
    assert shares.take("a", 6)
    assert not shares.take("a", 5)
    shares.give_back("a", 1)
    assert shares.take("a", 5)
    shares.give_back("a", 10)
    assert shares.take("a", 10)


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("testclient", 1), "testclient"),
        (None, ""),
    ],
)
def test_a_peer_is_an_address_or_a_network_of_ipv6(address, peer):
    assert peer_of(address) == peer
