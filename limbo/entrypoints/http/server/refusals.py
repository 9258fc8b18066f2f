"""What is refused to protect others: counted by kind, and logged by rate."""

from enum import StrEnum

from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.entrypoints.telemetry.rated_log import RatedLog

_PEERS = 16  # that get lines of their own


class RefusalKind(StrEnum):
    """Why a connection or a request was refused, as the metric and the log call it."""

    MALFORMED = "malformed"  # 400: what came is not HTTP
    HEAD = "head"  # 408, 431: a head or trailers that are too long, or too slow
    CONNECTIONS = "connections"  # 503: all places for connections are taken
    PEER_CONNECTIONS = "peer_connections"  # 503: those that one address may take are
    IDLE = "idle"  # an idle connection that was closed to make room for another
    BODIES = "bodies"  # 503: the room for bodies is taken
    PEER_BODIES = "peer_bodies"  # 429: the part of it that one address may take is
    CLIENT_BODIES = "client_bodies"  # 429: the part of it that one client may take is
    UNREAD = "unread"  # an answer that its client did not read, and whose room others needed
    HOST = "host"  # 421: the Host header names another server
    ORIGIN = "origin"  # 403: a page of another site asks for a change


ACCESS_CODES = tuple(
    code
    for code in Code
    if code.status in (401, 403, 429) and code not in (Code.FOREIGN_PAGE, Code.TOO_MUCH_UNDER_WAY)
)
"""Why a client may not do what it asks for: kinds of refusals as well, by the code of the error."""


class Refusals:
    """Counts each refusal, and logs those of one kind, peer and API key by rate."""

    def __init__(self, metrics: Metrics, rated_log: RatedLog | None = None) -> None:
        self._counters = {
            kind: metrics.http_refused.labels(kind.value) for kind in (*RefusalKind, *ACCESS_CODES)
        }
        self._log = rated_log or RatedLog(most=_PEERS)

    def note(self, kind: RefusalKind | Code, peer: str, **fields: object) -> None:
        """Count it, and log it or count it for the next line; ``peer`` is an IP address."""
        self._counters[kind].inc()
        key = (kind, peer, *fields.values())
        self._log.warning("refused", key=key, kind=kind.value, peer=peer, **fields)
