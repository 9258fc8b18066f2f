"""How long a mail waits between two touches."""

from collections.abc import Sequence
from dataclasses import dataclass

from limbo.domain.delivery.verdict import Attempt, Failed, Verdict

MAX_RETRY_AFTER = 12 * 3600.0  # SQS hides a message for at most this long


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a mail is touched, and the seconds between two touches. The last delay repeats.

    No provider is believed that wants a mail to wait longer than ``asked_max_seconds``.
    """

    max_touches: int = 3
    delays: Sequence[float] = (30.0, 300.0)
    asked_max_seconds: float = 300.0

    def delay(self, touch: int, attempts: Sequence[Attempt], jitter: float) -> float:
        """Return the pause after this touch, counted from 1.

        ``jitter`` is between 0.5 and 1. A ``Retry-After`` counts if every provider that was tried
        gave one, and if it is longer than the usual delay. The shortest of them counts, as that
        provider may take the mail first. If one provider gave none, the mail need not wait for the
        others.
        """
        pause = self.delays[min(touch, len(self.delays)) - 1] * jitter
        return min(max(pause, self.asked(attempts)), MAX_RETRY_AFTER)

    def asked(self, attempts: Sequence[Attempt]) -> float:
        """Return the shortest time that the providers asked for, or 0 if one asked for none."""
        shortest = min((_retry_after(attempt.verdict) for attempt in attempts), default=0.0)
        return min(shortest, self.asked_max_seconds)


def _retry_after(verdict: Verdict) -> float:
    return (verdict.retry_after or 0.0) if isinstance(verdict, Failed) else 0.0
