"""A cache of API keys; it looks them up off the event loop."""

import time
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

import structlog

from limbo.domain.access.api_key import ApiKey
from limbo.domain.errors import ApiKeysUnavailable
from limbo.domain.mail.text import redact
from limbo.entrypoints.http.server.offload import Offload, Overloaded
from limbo.ports.api_keys import ApiKeys

log: structlog.stdlib.BoundLogger = structlog.get_logger()
T = TypeVar("T")

_MOST = 10_000
_UNKNOWN_SECONDS = 5.0  # a new API key must not be refused for long
_THREADS = 4
_CALLS = _THREADS + 256
_LOOK_UP_SECONDS = 5.0


class KeyCache:
    """Finds API keys; a result is used for ``seconds`` from when the store was asked.

    Unknown ids are remembered and looked up separately. So requests with guessed ids displace no
    API key, delay the refresh of none, and cause only a few look-ups at a time.
    """

    def __init__(
        self,
        api_keys: ApiKeys,
        *,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
        most: int = _MOST,
        look_up_seconds: float = _LOOK_UP_SECONDS,
    ) -> None:
        self._api_keys = api_keys
        self._now = now
        self._known = _Recent[ApiKey](seconds, most)
        self._unknown = _Recent[bool](min(seconds, _UNKNOWN_SECONDS), most)
        self._refreshes, self._first_calls = (
            Offload(threads=_THREADS, calls=_CALLS, seconds=look_up_seconds) for _ in range(2)
        )
        self._is_failing = False

    async def find(self, id_: str) -> ApiKey | None:
        """Return the API key, revoked or not, or None; raises ApiKeysUnavailable."""
        now = self._now()
        if (key := self._known.get(id_, now)) is not None:
            return key
        if self._unknown.get(id_, now):
            return None
        return await self._look_up(id_)

    async def _look_up(self, id_: str) -> ApiKey | None:
        offload = self._refreshes if id_ in self._known else self._first_calls
        try:
            asked_at, key = await offload.call(partial(self._ask, id_), key=id_)
        except Overloaded:
            raise ApiKeysUnavailable("too many look-ups of API keys wait") from None
        except (ApiKeysUnavailable, TimeoutError) as error:
            problem = str(error) or "the store of API keys did not answer in time"
            self._remember_outage(problem)
            raise ApiKeysUnavailable(problem) from None
        self._remember_outage(None)
        if key is None:
            self._known.forget(id_)
            self._unknown.remember(id_, value=True, at=asked_at)
        else:
            self._unknown.forget(id_)
            self._known.remember(id_, value=key, at=asked_at)
        return key

    def _ask(self, id_: str) -> tuple[float, ApiKey | None]:
        """Ask the store, in a thread; return when it was asked, and its answer."""
        asked_at = self._now()
        return asked_at, self._api_keys.find(id_)

    def _remember_outage(self, problem: str | None) -> None:
        """Remember whether the store fails; log once when that begins, and once when it ends."""
        if problem is not None and not self._is_failing:
            log.error("API keys unavailable", reason=redact(problem))
        if problem is None and self._is_failing:
            log.info("API keys available again")
        self._is_failing = problem is not None


class _Recent(Generic[T]):
    """Values that are valid for ``seconds``; of more than ``most``, the oldest are forgotten."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._entries: dict[str, tuple[T, float]] = {}

    def __contains__(self, id_: str) -> bool:
        return id_ in self._entries

    def get(self, id_: str, now: float) -> T | None:
        entry = self._entries.get(id_)
        return entry[0] if entry is not None and now < entry[1] else None

    def remember(self, id_: str, *, value: T, at: float) -> None:
        self.forget(id_)
        self._entries[id_] = (value, at + self._seconds)
        if len(self._entries) > self._most:
            self.forget(next(iter(self._entries)))

    def forget(self, id_: str) -> None:
        self._entries.pop(id_, None)
