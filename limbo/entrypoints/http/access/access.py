"""Authentication: which client makes a request, and whether it may."""

import math
import time
from collections.abc import Callable, Collection
from http import HTTPStatus

from starlette.types import Scope

from limbo.domain.access.allow_list import ANY, AllowList
from limbo.domain.access.api_key import ANONYMOUS, ApiKey, Client, KeyScope, is_secret_of
from limbo.domain.access.credential import Credential
from limbo.domain.access.rate import Rate, TokenBucket
from limbo.domain.errors import ApiKeysUnavailable, Problem
from limbo.domain.mail.address import Address
from limbo.entrypoints.http.access.credentials import HOW, read_credential
from limbo.entrypoints.http.access.key_cache import KeyCache
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.headers import header
from limbo.entrypoints.http.server.problems import NOT_SUBMITTED, HttpRefusal
from limbo.entrypoints.telemetry.log_fields import note_request
from limbo.ports.api_keys import ApiKeys

# Basic is taken, and not offered: a browser would ask for it, and remember it for any page's posts.
_CHALLENGE = (b"www-authenticate", b'Bearer realm="limbo"')
_RETRY_AFTER = (b"retry-after", b"5")
_MOST_BUCKETS = 10_000


class Access:
    """Finds the client of a request by its API key, and refuses what that key may not do.

    Without ``api_keys`` all clients are anonymous. ``now`` must never go back. An API key that was
    looked up is remembered for ``cache_seconds``. Each process limits the rate of an API key by
    itself: N processes let N times as many requests through.
    """

    def __init__(
        self,
        api_keys: ApiKeys | None,
        *,
        now: Callable[[], float] = time.monotonic,
        cache_seconds: float = 30.0,
        anonymous_scopes: Collection[KeyScope] = (),
    ) -> None:
        self._cache = (
            None if api_keys is None else KeyCache(api_keys, seconds=cache_seconds, now=now)
        )
        self._now = now
        self._buckets: dict[str, tuple[Rate, TokenBucket]] = {}
        self._anonymous = Client(
            id=ANONYMOUS,
            scopes=frozenset(anonymous_scopes),
            allowed_from=AllowList(frozenset({ANY} if KeyScope.SEND in anonymous_scopes else ())),
        )

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
            cache = self._cache
            if cache is not None and (credential := _credential(scope)) is not None:
                client = await self._holder(cache, credential, needs)
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

    async def _holder(self, cache: KeyCache, credential: Credential, needs: KeyScope) -> Client:
        try:
            found = await cache.find(credential.id)
        except ApiKeysUnavailable:
            detail = "the API key cannot be checked now; try again later"
            raise HttpRefusal(
                HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=[_RETRY_AFTER]
            ) from None
        key = _checked(credential, found)
        self._keep_rate(key)
        if needs not in key.scopes:
            raise HttpRefusal(
                HTTPStatus.FORBIDDEN,
                f"this API key lacks the scope {needs}",
                code=Code.SCOPE_MISSING,
            )
        return key.client

    def _keep_rate(self, key: ApiKey) -> None:
        if key.rate is None:
            return
        now = self._now()
        rate, bucket = self._buckets.get(key.id, (None, None))
        if bucket is None or rate != key.rate:
            bucket = TokenBucket(key.rate, now)
            self._buckets.pop(key.id, None)
            self._buckets[key.id] = (key.rate, bucket)
            if len(self._buckets) > _MOST_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
        if (seconds := bucket.take(now)) > 0:
            detail = f"more requests than this API key may make, which is {key.rate}"
            retry_after = (b"retry-after", b"%d" % max(1, math.ceil(seconds)))
            raise HttpRefusal(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=[retry_after])


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


def _checked(credential: Credential, key: ApiKey | None) -> ApiKey:
    """Return the API key if the credential belongs to it.

    An unknown id and a wrong secret get the same answer.
    """
    if not is_secret_of(credential, key) or key is None:
        raise _unauthorized("the API key is not known here", Code.UNKNOWN_API_KEY)
    if key.is_revoked:
        raise _unauthorized("the API key has been revoked", Code.REVOKED_API_KEY)
    return key


def _unauthorized(detail: str, code: Code = Code.UNAUTHORIZED) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.UNAUTHORIZED, detail, code=code, headers=[_CHALLENGE])


def _has_body(scope: Scope) -> bool:
    length = header(scope, b"content-length")
    return length not in (b"", b"0") or header(scope, b"transfer-encoding") != b""
