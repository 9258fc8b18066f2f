"""The room for the bodies of all requests, which nobody may take alone."""

import asyncio
import threading

from limbo.entrypoints.http.server.refusals import RefusalKind
from limbo.entrypoints.http.server.shares import Shares
from limbo.entrypoints.process.memory import give_back_freed_memory

BODIES = "limbo.bodies"
"""The name, in the lifespan's state, of the BodyBudget."""
HELD = "limbo.held"
"""The name, in the scope of a request whose body has begun to arrive, of its HeldBody."""
_LARGE_BYTES, _SMALL_BYTES = 8 * 1_048_576, 1_048_576
_CALM_SECONDS = 1.0


class BodyBudget:
    """Room for bodies of ``most`` bytes in all: one peer may have half of it, one client a quarter.

    What has arrived is counted, not what was announced: a client that announces much and sends
    nothing takes no memory, and must not take the room of those who send.
    """

    def __init__(self, most: int) -> None:
        self.left = most
        self.peers = Shares(most // 2)
        self.clients = Shares(most // 4)
        self._most = most
        self._was_large = False

    def take(self, peer: str, size: int) -> RefusalKind | None:
        """Take room for as many bytes of that peer; or return what is lacking."""
        if size > self.left:
            return RefusalKind.BODIES
        if not self.peers.take(peer, size):
            return RefusalKind.PEER_BODIES
        self.left -= size
        self._was_large = self._was_large or self._most - self.left > _LARGE_BYTES
        return None

    def give_back(self, peer: str, size: int) -> None:
        """Give room back; once little is taken after much was, give memory back as well."""
        self.left += size
        self.peers.give_back(peer, size)
        if self._was_large and self._most - self.left < _SMALL_BYTES:
            self._was_large = False
            asyncio.get_running_loop().call_later(_CALM_SECONDS, _give_memory_back)


class HeldBody:
    """What one request holds of the budget, from its body's first byte until its end."""

    __slots__ = ("_budget", "_client", "_clients_size", "_is_dropped", "_peer", "_size", "refusal")

    def __init__(self, budget: BodyBudget, peer: str) -> None:
        self._budget = budget
        self._peer = peer
        self._size = 0
        self._client: str | None = None
        self._clients_size = 0
        self._is_dropped = False
        self.refusal: RefusalKind | None = None

    def take(self, size: int) -> bool:
        """Take room for as many bytes; return False if they must not be kept."""
        if self._is_dropped or self.refusal is not None:
            return False
        self.refusal = self._budget.take(self._peer, size)
        if self.refusal is None:
            self._size += size
        return self.refusal is None

    def charge(self, client: str) -> None:
        """Charge the client with what has arrived since it was charged last."""
        self._client = client
        more = self._size - self._clients_size
        if self._budget.clients.take(client, more):
            self._clients_size = self._size
        elif self.refusal is None:
            self.refusal = RefusalKind.CLIENT_BODIES

    def drop(self) -> None:
        """Give the room back; what else may arrive of the body is not kept."""
        self.release()
        self._is_dropped = True

    def release(self) -> None:
        """Give back the room of what has arrived so far: it was read, and thrown away."""
        if self._client is not None:
            self._budget.clients.give_back(self._client, self._clients_size)
        self._budget.give_back(self._peer, self._size)
        self._size = self._clients_size = 0


def _give_memory_back() -> None:
    """Do so in a thread: meanwhile the loop goes on."""
    threading.Thread(target=give_back_freed_memory, name="memory", daemon=True).start()
