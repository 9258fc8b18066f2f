"""How long a mail rests between two touches."""

from collections.abc import Sequence
from dataclasses import dataclass

from limbo.domain.delivery.verdict import Attempt, Failed, Verdict

MAX_RETRY_AFTER = 12 * 3600.0  # SQS keeps a message invisible no longer than this.


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a mail is touched, and how many seconds lie between; the last delay repeats."""

    max_touches: int = 3
    delays: Sequence[float] = (30.0, 300.0)

    def delay(self, touch: int, attempts: Sequence[Attempt], jitter: float) -> float:
        """Return the pause after the touch of that number, counted from 1.

        ``jitter`` is in 0.5 to 1. A ``Retry-After`` counts when every provider tried gave one that
        is longer: the soonest of them is when the mail may find somebody again. With one that gave
        none the mail may find that one, so it does not wait for the others.
        """
        pause = self.delays[min(touch, len(self.delays)) - 1] * jitter
        return min(max(pause, self.asked(attempts)), MAX_RETRY_AFTER)

    @staticmethod
    def asked(attempts: Sequence[Attempt]) -> float:
        """Return the soonest time that the providers tried asked for, 0 if one asked for none."""
        return min((_retry_after(attempt.verdict) for attempt in attempts), default=0.0)


def _retry_after(verdict: Verdict) -> float:
    return (verdict.retry_after or 0.0) if isinstance(verdict, Failed) else 0.0
