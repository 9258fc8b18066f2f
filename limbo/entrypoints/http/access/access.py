"""Authentication: which client makes a request, and whether it may."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from starlette.types import Scope

from limbo.domain.access.allow_list import ANY, AllowList
from limbo.domain.access.api_key import (
    ANONYMOUS,
    ApiKey,
    Client,
    KeyScope,
    KeyState,
    is_secret_of,
)
from limbo.domain.access.credential import Credential
from limbo.domain.errors import ApiKeysUnavailable, Problem
from limbo.domain.mail.address import Address
from limbo.entrypoints.http.access.client_address import client_address
from limbo.entrypoints.http.access.credentials import HOW, read_credential
from limbo.entrypoints.http.access.key_cache import KeyCache
from limbo.entrypoints.http.access.rates import Rates
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.headers import header
from limbo.entrypoints.http.server.problems import NOT_SUBMITTED, HttpRefusal
from limbo.entrypoints.telemetry.log_fields import note_request
from limbo.ports.api_keys import ApiKeys

# Basic is taken, and not offered: a browser would ask for it, and remember it for any page's posts.
_CHALLENGE = (b"www-authenticate", b'Bearer realm="limbo"')
_RETRY_AFTER = (b"retry-after", b"5")
_ENDS = {
    KeyState.REVOKED: ("has been revoked", Code.REVOKED_API_KEY),
    KeyState.EXPIRED: ("has expired", Code.EXPIRED_API_KEY),
}


class Access:
    """Finds the client of a request by its API key, and refuses what that key may not do.

    Without ``api_keys`` all clients are anonymous. ``now`` must never go back; ``clock`` tells the
    time in seconds since the epoch. ``cache`` has the API keys in use. While ``watching`` runs,
    what is done to an API key holds for requests that are under way too: ``check_again``.
    """

    def __init__(
        self,
        api_keys: ApiKeys | None,
        *,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        anonymous_scopes: Collection[KeyScope] = (),
    ) -> None:
        self.cache = None if api_keys is None else KeyCache(api_keys, now=now, clock=clock)
        self._clock = clock
        self._rates = Rates(now=now)
        self._anonymous = Client(
            id=ANONYMOUS,
            scopes=frozenset(anonymous_scopes),
            allowed_from=AllowList(frozenset({ANY} if KeyScope.SEND in anonymous_scopes else ())),
        )

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Keep the API keys in use up to date within the block."""
        if self.cache is None:
            yield
            return
        watch = asyncio.ensure_future(self.cache.watch())
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    @property
    def anonymous_scopes(self) -> frozenset[KeyScope]:
        """The scopes of clients without an API key."""
        return self._anonymous.scopes

    async def authenticate(
        self, scope: Scope, needs: KeyScope, *, message: str = NOT_SUBMITTED
    ) -> Client:
        """Return who makes the request; raises HttpRefusal with 401, 403, 429 or 503.

        Call it before the body is read: if it refuses a request that has a body, the connection is
        closed.
        """
        try:
            cache = self.cache
            if cache is not None and (credential := _credential(scope)) is not None:
                client = await self._holder(cache, credential, scope, needs)
            elif needs in self._anonymous.scopes:
                client = self._anonymous
            else:
                raise _unauthorized(f"no API key; {HOW}")
        except HttpRefusal as refused:
            refused.message = message
            refused.close = _has_body(scope)
            raise
        note_request(client=client.id)
        return client

    def check_again(self, scope: Scope, client: Client, needs: KeyScope) -> Client:
        """Return the client as it is now; raises HttpRefusal if it may no longer make the request.

        That is for a request that was let in a while ago.
        """
        if self.cache is None or client.key is None:
            return client
        try:
            key = self.cache.now_known(client.key)
        except ApiKeysUnavailable:
            raise _unavailable() from None
        if key is None:
            raise _not_known()
        self._check(key, scope)
        now = key.client
        if now is client:
            return client
        _check_scope(key, needs)
        if client.visible_client is None and now.visible_client is not None:
            _check_scope(key, KeyScope.ADMIN)
        return now

    async def _holder(
        self, cache: KeyCache, credential: Credential, scope: Scope, needs: KeyScope
    ) -> Client:
        note_request(key=credential.id)
        try:
            key = await cache.find(credential.id)
        except ApiKeysUnavailable:
            raise _unavailable() from None
        if not is_secret_of(credential, key) or key is None:
            raise _not_known()
        self._check(key, scope)
        cache.note_use(key.id)
        self._rates.take(key, needs)
        _check_scope(key, needs)
        return key.client

    def _check(self, key: ApiKey, scope: Scope) -> None:
        state = key.state(self._clock())
        if state is not KeyState.IN_FORCE:
            what, code = _ENDS[state]
            raise _unauthorized(f"the API key {what}", code)
        if key.networks.all and not key.is_good_at(client_address(scope)):
            detail = "this API key may not be used from this address"
            raise HttpRefusal(HTTPStatus.FORBIDDEN, detail, code=Code.NETWORK_NOT_ALLOWED)


def check_from(client: Client, from_address: Address) -> None:
    """Raise HttpRefusal with 403 if the client may not send mails from the address."""
    if not client.may_send_from(from_address):
        detail = "from: this API key may not send from that address"
        raise HttpRefusal(
            HTTPStatus.FORBIDDEN,
            [Problem(pointer="/from", detail=detail)],
            code=Code.FROM_NOT_ALLOWED,
        )


def _credential(scope: Scope) -> Credential | None:
    try:
        return read_credential(scope)
    except ValueError as error:
        raise _unauthorized(str(error)) from None


def _check_scope(key: ApiKey, needs: KeyScope) -> None:
    if needs not in key.scopes:
        detail = f"this API key lacks the scope {needs}"
        raise HttpRefusal(HTTPStatus.FORBIDDEN, detail, code=Code.SCOPE_MISSING)


def _not_known() -> HttpRefusal:
    """Return the answer to an unknown id and to a wrong secret: they must not differ."""
    return _unauthorized("the API key is not known here", Code.UNKNOWN_API_KEY)


def _unavailable() -> HttpRefusal:
    detail = "the API key cannot be checked now; try again later"
    return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=[_RETRY_AFTER])


def _unauthorized(detail: str, code: Code = Code.UNAUTHORIZED) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.UNAUTHORIZED, detail, code=code, headers=[_CHALLENGE])


def _has_body(scope: Scope) -> bool:
    length = header(scope, b"content-length")
    return length not in (b"", b"0") or header(scope, b"transfer-encoding") != b""
