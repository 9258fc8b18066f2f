"""Evidence: how likely the providers' own failures explain what one mail has met."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

LIMIT = math.log(1e-4)
"""A mail is to blame when its providers explain its failures this rarely: one time in 10,000."""
_EVEN = math.log(0.5)
_DUST = 1e-9  # what a sum of logarithms may be off by
# Two touches, but never three, of one mail fit into it: an outage is an outage by the third.
_WINDOW_SECONDS = 150.0
_WINDOW_CALLS = 1000
_DEVIATIONS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the touches of a mail say about the mail; it travels with it.

    ``log_likelihood`` is the natural logarithm of the chance that the providers alone explain all
    that has counted: 0 is nothing against the mail, and it only falls. ``refused_since`` is when
    all providers that answered began to refuse an address (IDENTITY), in seconds since the epoch.
    """

    log_likelihood: float = 0.0
    refused_since: float | None = None

    @property
    def weight(self) -> float:
        """How much the mail's next call says about its provider: 1, or less for a suspect."""
        return math.exp(min(self.log_likelihood, 0.0))

    @property
    def is_suspect(self) -> bool:
        """Tell whether the mail is rather to blame than its providers."""
        return self.log_likelihood <= _EVEN

    @property
    def is_enough(self) -> bool:
        """Tell whether the providers do not explain what the mail has met."""
        return self.log_likelihood <= LIMIT + _DUST


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True)
class _Outcome:
    at: float
    mail_id: str
    weight: float
    failed: bool


@dataclass(slots=True)
class _Sum:
    """Some outcomes: how many, their weights, and the weights of the failures among them."""

    count: int = 0
    seen: float = 0.0
    failed: float = 0.0

    def add(self, outcome: _Outcome, sign: int = 1) -> None:
        self.count += sign
        self.seen += sign * outcome.weight
        self.failed += sign * outcome.weight * outcome.failed


class _Outcomes:
    """The last outcomes at one place, each with the weight of its mail; no call takes O(n)."""

    def __init__(self) -> None:
        self._outcomes: deque[_Outcome] = deque()
        self._all = _Sum()
        self._of: dict[str, _Sum] = {}

    def note(self, outcome: _Outcome) -> None:
        self._outcomes.append(outcome)
        self._all.add(outcome)
        self._of.setdefault(outcome.mail_id, _Sum()).add(outcome)
        self._forget(outcome.at)

    def likelihood(self, mail_id: str, now: float) -> float:
        """Return the chance of one more failure, cautiously: 1 where no other mail was seen.

        The failure itself is counted among the others, as a permutation test does, and four
        standard deviations are added. The mail's own outcomes do not excuse it.
        """
        self._forget(now)
        own = self._of.get(mail_id, _Sum())
        seen = max(0.0, self._all.seen - own.seen)
        failed = min(seen, max(0.0, self._all.failed - own.failed))
        spread = math.sqrt(failed * (1 - failed / seen)) if seen else 0.0
        return min(1.0, (failed + 1 + _DEVIATIONS * spread) / (seen + 1))

    def _forget(self, now: float) -> None:
        while self._outcomes and (
            len(self._outcomes) > _WINDOW_CALLS or self._outcomes[0].at < now - _WINDOW_SECONDS
        ):
            oldest = self._outcomes.popleft()
            self._all.add(oldest, -1)
            self._of[oldest.mail_id].add(oldest, -1)
            if not self._of[oldest.mail_id].count:
                del self._of[oldest.mail_id]
        if not self._outcomes:  # what rounding has left
            self._all = _Sum()
            self._of.clear()


class TrackRecord:
    """What calls and touches came to lately. It has no lock, and reads no clock.

    Touches have a record beside those of the providers: providers that share a cause, such as our
    own network, fail together more often than the product of their rates.
    """

    def __init__(self, senders: Sequence[str]) -> None:
        self._calls = {sender: _Outcomes() for sender in senders}
        self._touches = _Outcomes()

    def note_call(
        self, sender: str, mail_id: str, *, failed: bool, weight: float, at: float
    ) -> None:
        """Note whether a provider failed this call or dealt with it."""
        self._calls[sender].note(_Outcome(at, mail_id, weight, failed))

    def note_touch(self, mail_id: str, *, failed: bool, weight: float, at: float) -> None:
        """Note whether a touch ended with failures alone, or some provider dealt with the mail."""
        self._touches.note(_Outcome(at, mail_id, weight, failed))

    def log_likelihood(self, mail_id: str, failed_at: Sequence[str], now: float) -> float:
        """Return the logarithm of the chance that all these providers failed by themselves."""
        apart = math.prod(self._calls[sender].likelihood(mail_id, now) for sender in failed_at)
        return math.log(max(apart, self._touches.likelihood(mail_id, now)))


def counts(log_likelihood: float) -> bool:
    """Tell whether a touch counts: the providers explain it no better than a coin would."""
    return log_likelihood <= _EVEN
