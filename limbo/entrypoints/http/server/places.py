"""The places for connections: how many there are, and who has to leave when they are taken."""

from dataclasses import dataclass, field
from typing import Protocol

from limbo.entrypoints.http.server.refusals import RefusalKind

REFUSED = "limbo.refused"
"""The name, in the scope of a request for which there is no place, of the RefusalKind."""
_RESERVE = 64


class Connection(Protocol):
    """A connection, as its place knows it."""

    def make_room(self) -> None:
        """Close; it is idle, and another one needs its place."""
        ...


@dataclass(slots=True, eq=False)
class _Group:
    """The connections of all, or of one peer: how many, and the idle ones, longest idle first."""

    count: int = 0
    idle: dict[Connection, None] = field(default_factory=dict)

    @property
    def busy(self) -> int:
        return self.count - len(self.idle)


class Places:
    """Places for ``most`` connections; some of them are kept for probes.

    A connection is idle between requests, and until its first request's head is complete. Once the
    open places are taken, or the half of them that one peer may have, each newcomer has the longest
    idle connection closed, of all or of its peer. If all those are busy, newcomers are in the
    places that are kept, and ``begin`` refuses them: they are answered only if they are probes.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept = min(_RESERVE, most // 4)
        self._open = most - self._kept
        self._share = max(1, self._open // 2)
        self._peer_of: dict[Connection, str] = {}
        self._peers: dict[str, _Group] = {}
        self._all = _Group()

    def enter(self, connection: Connection, peer: str) -> bool:
        """Give the connection a place, and make room for it; False if there is none at all."""
        if self._all.count >= self.most and not self._close_longest(self._all, connection):
            return False
        self._peer_of[connection] = peer
        for group in (self._all, self._peers.setdefault(peer, _Group())):
            group.count += 1
            group.idle[connection] = None
        self._make_room(connection, peer)
        return True

    def begin(self, connection: Connection) -> RefusalKind | None:
        """Take note that a request begins; return why it is refused, unless it is a probe."""
        if (peer := self._peer_of.get(connection)) is None:
            return None
        for group in (self._all, self._peers[peer]):
            group.idle.pop(connection, None)
        if self._peers[peer].busy > self._share:
            return RefusalKind.PEER_CONNECTIONS
        if self._all.busy > self._open:
            return RefusalKind.CONNECTIONS
        return None

    def end(self, connection: Connection) -> None:
        """Take note that the connection is idle from now on."""
        if (peer := self._peer_of.get(connection)) is not None:
            for group in (self._all, self._peers[peer]):
                group.idle[connection] = None

    def leave(self, connection: Connection) -> None:
        """Free the place of a connection that is closed; it may have been freed already."""
        if (peer := self._peer_of.pop(connection, None)) is None:
            return
        for group in (self._all, self._peers[peer]):
            group.idle.pop(connection, None)
            group.count -= 1
        if not self._peers[peer].count:
            del self._peers[peer]

    def _make_room(self, newcomer: Connection, peer: str) -> None:
        """Close an idle connection if one has a place that is wanted.

        Where none has, the idle are newcomers themselves, which have a moment to say what they are.
        """
        for group, most in ((self._peers[peer], self._share), (self._all, self._open)):
            too_many = group.count > most
            if too_many and (group.busy < most or group.count > most + self._kept):
                self._close_longest(group, newcomer)

    def _close_longest(self, group: _Group, newcomer: Connection) -> bool:
        longest = next(iter(group.idle), newcomer)
        if longest is newcomer:
            return False
        self.leave(longest)
        longest.make_room()
        return True
