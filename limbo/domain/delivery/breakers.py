"""The breakers of all providers, and what they leave room for."""

import threading
from collections.abc import Callable, Mapping, Sequence

from limbo.domain.delivery.breaker import Admission, Breaker, BreakerPolicy, BreakerState
from limbo.domain.delivery.verdict import Failed, Verdict


class Breakers:
    """One breaker a provider, by the sender's name; thread-safe."""

    def __init__(
        self,
        senders: Sequence[str],
        *,
        policy: BreakerPolicy,
        now: Callable[[], float],
        jitter: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._policy = policy
        self._now = now
        self._breakers = {sender: Breaker(policy, jitter) for sender in senders}
        self._lock = threading.Lock()

    def admit(self, sender: str) -> Admission | None:
        """Decide if a call may start. Each admission ends in one ``record`` or ``withdraw``."""
        with self._lock:
            self._shorten_pauses()
            return self._breakers[sender].admit(self._now())

    def withdraw(self, sender: str, admission: Admission) -> None:
        """Take back an admission whose call was not made."""
        with self._lock:
            self._breakers[sender].withdraw(admission)

    def record(
        self,
        sender: str,
        admission: Admission,
        verdict: Verdict,
        *,
        started_at: float,
        suspect: bool,
    ) -> None:
        """Record the result of an admitted call, of a mail that may be a ``suspect``."""
        with self._lock:
            self._breakers[sender].record(
                admission, verdict, self._now(), started_at=started_at, suspect=suspect
            )

    def capacity(self) -> int | None:
        """Return how many mails are worth receiving now, or None for any number.

        While every breaker is open, it is one for each breaker that is due for a probe.
        """
        with self._lock:
            now = self._now()
            self._shorten_pauses()
            ready = [b for b in self._breakers.values() if _is_ready(b, now)]
            if any(b.state(now) is BreakerState.CLOSED for b in ready):
                return None
            return len(ready)

    def all_are_down(self) -> bool:
        """Tell whether no provider took any of its last mails."""
        with self._lock:
            return all(breaker.is_down for breaker in self._breakers.values())

    def ready_in(self) -> float:
        """Return the seconds until a provider can be called: infinite while all are probed."""
        with self._lock:
            self._shorten_pauses()
            times = [at for b in self._breakers.values() if (at := b.ready_at()) is not None]
            return max(0.0, min(times, default=float("inf")) - self._now())

    def states(self) -> Mapping[str, BreakerState]:
        """Return the state of each provider's breaker."""
        with self._lock:
            now = self._now()
            return {name: breaker.state(now) for name, breaker in self._breakers.items()}

    def opened_by(self) -> Mapping[str, Failed]:
        """Return the answer that opened each breaker that has opened, the last one."""
        with self._lock:
            return {
                name: breaker.opened_by
                for name, breaker in self._breakers.items()
                if breaker.opened_by is not None
            }

    def _shorten_pauses(self) -> None:
        """Test sooner whether a provider is back when all of them are down."""
        now = self._now()
        if all(
            breaker.state(now) is not BreakerState.CLOSED for breaker in self._breakers.values()
        ):
            for breaker in self._breakers.values():
                breaker.shorten_pause(2 * self._policy.open_seconds)


def _is_ready(breaker: Breaker, now: float) -> bool:
    at = breaker.ready_at()
    return at is not None and at <= now
