from limbo.entrypoints.http.server.unread import UnreadAnswers


class Reader:
    """A connection that remembers whether it was ended."""

    def __init__(self):
        self.is_dropped = False

    def drop_unread(self):
        self.is_dropped = True


def held(room, *sizes):
    readers = [Reader() for _ in sizes]
    for reader, (peer, size) in zip(readers, sizes, strict=True):
        room.hold(reader, peer, size)
    return readers


def dropped(readers):
    return [number for number, reader in enumerate(readers) if reader.is_dropped]


def test_a_peer_that_has_half_of_the_room_loses_the_answer_that_waits_longest():
    room = UnreadAnswers(80)
    assert dropped(held(room, ("b", 20), ("a", 20), ("a", 20), ("a", 20))) == [1]


def test_once_all_of_the_room_is_taken_the_longest_of_all_goes():
    room = UnreadAnswers(80)
    assert dropped(held(room, ("b", 40), ("a", 40), ("c", 10), ("c", 10))) == [0]


def test_what_is_read_takes_no_room():
    room = UnreadAnswers(80)
    first, second = held(room, ("a", 30), ("a", 5))
    room.hold(first, "a", 35)
    room.release(first)
    room.release(first)
    assert dropped([first, second, *held(room, ("a", 35))]) == []


def test_an_answer_larger_than_a_share_is_ended_itself():
    room = UnreadAnswers(80)
    assert dropped(held(room, ("b", 40), ("a", 41))) == [1]
    assert dropped(held(room, ("a", 40))) == []
