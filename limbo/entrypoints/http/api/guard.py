"""What is refused before a route is looked for, whoever asks."""

from http import HTTPStatus

from starlette.types import Scope

from limbo.entrypoints.http.access.client_address import client_address
from limbo.entrypoints.http.api.hosts import HostPolicy, is_same
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.headers import header
from limbo.entrypoints.http.server.places import REFUSED
from limbo.entrypoints.http.server.problems import RETRY_AFTER, HttpRefusal
from limbo.entrypoints.http.server.refusals import ACCESS_CODES, RefusalKind, Refusals
from limbo.entrypoints.http.server.shares import peer_of
from limbo.entrypoints.telemetry.log_fields import noted

_PROBES = frozenset({"/livez", "/readyz", "/health", "/metrics"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # RFC 9110, 9.2.1
_OWN_PAGES = (b"same-origin", b"none")  # none: the user typed it
_LACKS = {
    RefusalKind.CONNECTIONS: "all connections are in use; try again later",
    RefusalKind.PEER_CONNECTIONS: "this address has too many connections; try again later",
}

_CODES = {RefusalKind.ORIGIN: Code.FOREIGN_PAGE, RefusalKind.HOST: Code.WRONG_HOST}


class Guard:
    """Refuses what there is no place for, what is meant for another host, and foreign pages.

    A browser sends what a page of any site tells it to, with the API key that it remembers; it says
    so in ``Origin`` and ``Sec-Fetch-Site``. What limbo answers, such a page cannot read.
    """

    def __init__(self, hosts: HostPolicy, refusals: Refusals) -> None:
        self._hosts = hosts
        self._refusals = refusals

    def refusal(self, scope: Scope) -> HttpRefusal | None:
        """Return why the request is refused, if it is; its path becomes the one that was sent."""
        if b"%" in scope["raw_path"]:  # what need not be encoded is no other way to write a route
            scope["path"] = scope["raw_path"].decode("latin-1")
        lack: RefusalKind | None = scope.get(REFUSED)
        if lack is not None and scope["path"].removesuffix("/") not in _PROBES:
            closing = [RETRY_AFTER, (b"connection", b"close")]
            return self._refuse(scope, HTTPStatus.SERVICE_UNAVAILABLE, lack, _LACKS[lack], closing)
        host = header(scope, b"host").decode("latin-1")
        if host and not self._hosts.answers(host):
            detail = "Host: limbo does not answer for that name; see LIMBO_ALLOWED_HOSTS"
            return self._refuse(scope, HTTPStatus.MISDIRECTED_REQUEST, RefusalKind.HOST, detail)
        if scope["method"] not in _SAFE and self._is_foreign(scope, host):
            detail = "Origin: a page of another site may change nothing here"
            return self._refuse(scope, HTTPStatus.FORBIDDEN, RefusalKind.ORIGIN, detail)
        return None

    def note(self, scope: Scope, code: Code) -> None:
        """Count and log that the application has refused the request, if access is the reason."""
        if code in ACCESS_CODES:
            key = noted("key")
            fields = {} if key is None else {"api_key": key}
            self._refusals.note(code, client_address(scope), **fields)

    def _is_foreign(self, scope: Scope, host: str) -> bool:
        site = header(scope, b"sec-fetch-site")
        origin = header(scope, b"origin").decode("latin-1")
        if origin and self._hosts.allows(origin):
            return False
        if origin and not is_same(origin, host):
            return True
        return bool(site) and site not in _OWN_PAGES

    def _refuse(
        self,
        scope: Scope,
        status: HTTPStatus,
        kind: RefusalKind,
        detail: str,
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> HttpRefusal:
        self._refusals.note(kind, peer_of(scope.get("client")))
        return HttpRefusal(
            status, detail, code=_CODES.get(kind), headers=headers or (), close=headers is None
        )
