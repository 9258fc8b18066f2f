"""The room for what clients have not read of their answers."""

from typing import Protocol

from limbo.entrypoints.http.server.shares import Shares

_MOST_BYTES = 64 * 1_048_576


class Connection(Protocol):
    """A connection whose client reads slowly, or not at all."""

    def drop_unread(self) -> None:
        """End at once; what its client has not read takes the room of others."""
        ...


class UnreadAnswers:
    """Room for ``most`` bytes in all, of which one peer may have half.

    Where it is taken, the connection that has waited longest for its client to read is ended: of
    the peer, or of all.
    """

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._left = most
        self._peers = Shares(most // 2)
        self._held: dict[Connection, tuple[str, int]] = {}

    def hold(self, connection: Connection, peer: str, size: int) -> None:
        """Take room for as many bytes that the client of the connection is yet to read."""
        self.release(connection)
        while not self._peers.take(peer, size):
            if not self._drop_longest(peer):
                connection.drop_unread()
                return
        self._held[connection] = (peer, size)
        self._left -= size
        while self._left < 0:
            self._drop_longest(None)

    def release(self, connection: Connection) -> None:
        """Give back what the connection holds, if it holds anything."""
        peer, size = self._held.pop(connection, ("", 0))
        self._peers.give_back(peer, size)
        self._left += size

    def _drop_longest(self, peer: str | None) -> bool:
        longest = next(
            (each for each, (whose, _) in self._held.items() if peer in (None, whose)), None
        )
        if longest is None:
            return False
        self.release(longest)
        longest.drop_unread()
        return True
