"""The API keys that are in use, as the store knew them a few seconds ago."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial

import structlog

from limbo.domain.access.api_key import ApiKey
from limbo.domain.errors import ApiKeysUnavailable
from limbo.domain.mail.text import redact
from limbo.entrypoints.http.access.recent import Known, KnownKeys, Unknown
from limbo.entrypoints.http.server.offload import Offload, Overloaded
from limbo.ports.api_keys import ApiKeys

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FRESH_SECONDS = 5.0
"""How long an answer of the store is used without asking again: a revocation holds after that."""
OUTAGE_SECONDS = 30.0
"""How long it is used while the store does not answer."""
_TICK_SECONDS = 2.0
_IN_USE_SECONDS = 90.0  # longer than a request can be held
_USE_SECONDS = 60.0
_MOST = 10_000
_THREADS = 4
_CALLS = _THREADS + 256
_LOOK_UP_SECONDS = 5.0


class KeyCache:
    """Finds API keys off the event loop. ``watch`` asks for all that are in use in one question.

    Unknown ids are remembered and looked up separately. So requests with guessed ids displace no
    API key, delay the refresh of none, and cause only a few look-ups at a time. ``now`` must never
    go back; ``clock`` tells the time in seconds since the epoch.
    """

    def __init__(
        self,
        api_keys: ApiKeys,
        *,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        most: int = _MOST,
        look_up_seconds: float = _LOOK_UP_SECONDS,
    ) -> None:
        self._api_keys = api_keys
        self._now = now
        self._clock = clock
        self._known = KnownKeys(most)
        self._unknown = Unknown(FRESH_SECONDS, most)
        self._refreshes, self._first_calls, self._notes = (
            Offload(threads=threads, calls=_CALLS, seconds=look_up_seconds)
            for threads in (_THREADS, _THREADS, 1)
        )
        self._is_asking = False
        self._is_failing = False

    async def find(self, id_: str) -> ApiKey | None:
        """Return the API key, in force or not, or None; raises ApiKeysUnavailable."""
        now = self._now()
        if (known := self._current(id_, now)) is not None:
            return known.key
        if self._unknown.has(id_, now):
            return None
        try:
            return await self._look_up(id_)
        except ApiKeysUnavailable:
            if (
                known := self._known.get(id_)
            ) is not None and now < known.asked_at + OUTAGE_SECONDS:
                return known.key
            raise

    def now_known(self, id_: str) -> ApiKey | None:
        """Return an API key that was found before as it is known now, or None if it is not.

        Raises ApiKeysUnavailable if the store has not answered for too long.
        """
        now = self._now()
        known = self._known.get(id_)
        if known is None:
            return None
        known.asked_for_at = now
        if now >= known.asked_at + OUTAGE_SECONDS:
            raise ApiKeysUnavailable("the store of API keys has not answered for too long")
        return known.key

    def note_use(self, id_: str) -> None:
        """Remember that the API key was used just now; ``watch`` stores that later."""
        if (known := self._known.get(id_)) is not None:
            known.used_at = self._clock()

    async def watch(self) -> None:
        """Keep the API keys in use up to date, and store when they were used, for ever."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                await self.refresh()
                await self.store_uses()
            except Exception as error:  # a defect must not freeze what is known
                log.exception("API keys not refreshed", exc_info=error)

    async def refresh(self) -> None:
        """Ask for all API keys in use, in one question; what is known stays if that fails."""
        ids = self._known.in_use(self._now() - _IN_USE_SECONDS)
        if not ids:
            return
        self._is_asking = True  # until an answer: a request need not wait for the same one
        try:
            asked_at, keys = await self._ask(self._refreshes, ids, "refresh")
        except ApiKeysUnavailable:
            return
        self._is_asking = False
        for id_ in ids:
            self._known.update(id_, keys.get(id_), asked_at)

    async def store_uses(self) -> None:
        """Store the last uses that are not stored yet, of each key once a minute."""
        uses = self._known.uses_to_store(self._clock() - _USE_SECONDS)
        if not uses:
            return
        try:
            await self._notes.call(partial(self._api_keys.note_uses, uses), key="uses")
        except (ApiKeysUnavailable, Overloaded, TimeoutError) as error:
            log.warning("last uses of API keys not stored", reason=redact(str(error)))

    def _current(self, id_: str, now: float) -> Known | None:
        """Return what is known of the key, if it need not be asked for again first."""
        known = self._known.get(id_)
        if known is None:
            return None
        known.asked_for_at = now
        seconds = OUTAGE_SECONDS if self._is_asking else FRESH_SECONDS
        return known if now < known.asked_at + seconds else None

    async def _look_up(self, id_: str) -> ApiKey | None:
        offload = self._refreshes if self._known.get(id_) is not None else self._first_calls
        asked_at, keys = await self._ask(offload, [id_], id_)
        key = keys.get(id_)
        if key is None:
            self._unknown.remember(id_, asked_at)
        else:
            self._unknown.forget(id_)
        self._known.update(id_, key, asked_at, asked_for_at=self._now())
        return key

    async def _ask(
        self, offload: Offload, ids: Collection[str], name: str
    ) -> tuple[float, Mapping[str, ApiKey]]:
        """Return when the store was asked, and its answer. Equal names share one call."""
        try:
            answer = await offload.call(partial(self._find, ids), key=name)
        except Overloaded:
            raise ApiKeysUnavailable("too many look-ups of API keys wait") from None
        except (ApiKeysUnavailable, TimeoutError) as error:
            problem = str(error) or "the store of API keys did not answer in time"
            self._remember_outage(problem)
            raise ApiKeysUnavailable(problem) from None
        self._remember_outage(None)
        return answer

    def _find(self, ids: Collection[str]) -> tuple[float, Mapping[str, ApiKey]]:
        asked_at = self._now()
        return asked_at, self._api_keys.find(ids)

    def _remember_outage(self, problem: str | None) -> None:
        """Remember whether the store fails; log once when that begins, and once when it ends."""
        if problem is not None and not self._is_failing:
            log.error("API keys unavailable", reason=redact(problem))
        if problem is None and self._is_failing:
            log.info("API keys available again")
        self._is_failing = problem is not None
