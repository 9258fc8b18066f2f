"""What was lately found, or not found, in the store of API keys: each at most so many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from limbo.domain.access.api_key import ApiKey


@dataclass(slots=True, kw_only=True)
class Known:
    """An API key as the store knew it at ``asked_at``.

    ``asked_for_at`` is when a request asked for it last; both are times of the cache's own clock.
    ``used_at`` and ``stored_at`` are in seconds since the epoch: the last use, and the last one
    that is stored.
    """

    key: ApiKey
    asked_at: float
    asked_for_at: float
    used_at: float | None = None
    stored_at: float | None = None


class KnownKeys:
    """The API keys that were found; of more than ``most``, the oldest are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, Known] = {}

    def get(self, id_: str) -> Known | None:
        """Return what is known of the API key."""
        return self._known.get(id_)

    def update(
        self, id_: str, key: ApiKey | None, asked_at: float, *, asked_for_at: float | None = None
    ) -> None:
        """Take an answer of the store, unless a later question was answered before."""
        known = self._known.get(id_)
        if known is not None and known.asked_at > asked_at:
            return
        if key is None:
            self._known.pop(id_, None)
        elif known is not None:
            known.key, known.asked_at = key, asked_at
        elif asked_for_at is not None:
            self._known[id_] = Known(key=key, asked_at=asked_at, asked_for_at=asked_for_at)
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]

    def in_use(self, since: float) -> Sequence[str]:
        """Return the ids of the API keys that a request has asked for since; forget the others."""
        self._known = {
            id_: known for id_, known in self._known.items() if known.asked_for_at >= since
        }
        return [*self._known]

    def uses_to_store(self, moment: float) -> Mapping[str, float]:
        """Return the last uses by id, of those keys none of which was stored since; once each."""
        uses: dict[str, float] = {}
        for id_, known in self._known.items():
            used_at = known.used_at
            if used_at is not None and used_at != known.stored_at:
                last = known.stored_at
                if last is None or last <= moment:
                    uses[id_] = known.stored_at = used_at
        return uses


class Unknown:
    """Ids that no API key has, each for ``seconds``; of more than ``most``, the oldest go."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._until: dict[str, float] = {}

    def has(self, id_: str, now: float) -> bool:
        """Tell whether the id was looked up in vain a moment ago."""
        return now < self._until.get(id_, now)

    def remember(self, id_: str, asked_at: float) -> None:
        """Remember that there was no such key when the store was asked."""
        self.forget(id_)
        self._until[id_] = asked_at + self._seconds
        if len(self._until) > self._most:
            self.forget(next(iter(self._until)))

    def forget(self, id_: str) -> None:
        """Forget the id: there is a key now."""
        self._until.pop(id_, None)
