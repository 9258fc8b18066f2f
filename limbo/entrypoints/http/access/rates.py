"""How often each client may ask: one rate for its submissions, another for all else."""

import math
from collections.abc import Callable
from http import HTTPStatus

from limbo.domain.access.api_key import ApiKey, KeyScope
from limbo.domain.access.rate import TokenBucket
from limbo.entrypoints.http.server.problems import HttpRefusal

_MOST_BUCKETS = 10_000


class Rates:
    """The buckets of the clients, which all keys of a client share. ``now`` must never go back.

    Each process limits by itself: N processes let N times as many requests through.
    """

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[tuple[str, bool], TokenBucket] = {}

    def take(self, key: ApiKey, needs: KeyScope) -> None:
        """Count a request of the key; raises HttpRefusal with 429 if it is one too many."""
        rate = key.rate_for(needs)
        if rate is None:
            return
        now = self._now()
        name = (key.client.id, needs is KeyScope.SEND)
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(rate, now)
            if len(self._buckets) > _MOST_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
        if (seconds := bucket.take(rate, now)) > 0:
            detail = f"more requests than this API key may make, which is {rate}"
            retry_after = (b"retry-after", b"%d" % max(1, math.ceil(seconds)))
            raise HttpRefusal(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=[retry_after])
