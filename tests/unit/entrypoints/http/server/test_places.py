import pytest

from limbo.entrypoints.http.server.places import Places
from limbo.entrypoints.http.server.refusals import RefusalKind


class Guest:
    """A connection that remembers whether it had to make room."""

    def __init__(self, peer="a"):
        self.peer = peer
        self.is_closed = False

    def make_room(self):
        self.is_closed = True


@pytest.fixture
def places():
    """Eight places: six are open, of which one peer may have three; two are kept for probes."""
    return Places(8)


def entered(places, peers, *, busy=False):
    guests = [Guest(peer) for peer in peers]
    for guest in guests:
        assert places.enter(guest, guest.peer)
        if busy:
            assert places.begin(guest) is None
    return guests


def closed(guests):
    return [number for number, guest in enumerate(guests) if guest.is_closed]


def test_the_longest_idle_makes_room_once_the_open_places_are_taken(places):
    assert closed(entered(places, "abcdefgh")) == [0, 1]


def test_a_peer_that_has_its_share_makes_room_itself(places):
    others = entered(places, "bc")
    own = entered(places, "aaaaa")
    assert (closed(others), closed(own)) == ([], [0, 1])


def test_idle_counts_from_the_end_of_the_last_request(places):
    first, second, *_ = guests = entered(places, "abcdef")
    assert places.begin(first) is None
    places.end(first)
    entered(places, "g")
    assert closed(guests) == [guests.index(second)]


def test_what_is_being_answered_makes_no_room(places):
    busy = entered(places, "abc", busy=True)
    idle = entered(places, "def")
    entered(places, "ghi")
    assert (closed(busy), closed(idle)) == ([], [0, 1, 2])


def test_a_request_is_refused_while_no_place_is_open(places):
    busy = entered(places, "abcdef", busy=True)
    (late,) = entered(places, "g")
    assert places.begin(late) is RefusalKind.CONNECTIONS
    places.leave(busy[0])
    assert places.begin(late) is None


def test_a_request_of_a_peer_that_has_its_share_is_refused(places):
    entered(places, "aaa", busy=True)
    late, other = entered(places, "ab")
    assert places.begin(late) is RefusalKind.PEER_CONNECTIONS
    assert places.begin(other) is None


@pytest.mark.parametrize("peers", ["abcdef", "aaabbb"])
def test_newcomers_take_turns_in_the_places_that_are_kept(places, peers):
    busy = entered(places, peers, busy=True)
    late = entered(places, "ghijkl")
    assert (closed(busy), closed(late)) == ([], [0, 1, 2, 3])


def test_a_peer_that_is_busy_with_its_share_pushes_out_no_others(places):
    entered(places, "aaa", busy=True)
    (other,) = entered(places, "b")
    late = entered(places, "aaaaaaaa")
    assert not other.is_closed
    assert closed(late) == [0, 1, 2, 3, 4, 5]


def test_there_is_no_place_beyond_those_that_are_kept(places):
    entered(places, "abcdef", busy=True)
    probes = entered(places, "gh")
    for probe in probes:
        places.begin(probe)
    newcomer = Guest()
    assert not places.enter(newcomer, "i")
    places.end(probes[0])
    assert places.enter(newcomer, "i")
    assert closed(probes) == [0]


def test_who_left_holds_nothing(places):
    for _ in range(100):
        (guest,) = entered(places, "a", busy=True)
        places.leave(guest)
        places.leave(guest)
        places.end(guest)
    assert closed(entered(places, "aaa")) == []
