"""How often something may be done."""

import re
from dataclasses import dataclass

_UNITS = {"s": 1, "min": 60, "h": 3600}
_FORM = re.compile(r"([1-9][0-9]{0,5})/(s|min|h)")
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of times per unit, which is ``s``, ``min`` or ``h``: 100/s, 6000/min."""

    times: int
    unit: str

    def __str__(self) -> str:
        return f"{self.times}/{self.unit}"

    @property
    def per_second(self) -> float:
        """The rate as a number of times per second."""
        return self.times / _UNITS[self.unit]


def parse_rate(text: str) -> Rate:
    """Read ``100/s``, ``6000/min`` or ``10/h``; raises ValueError."""
    found = _FORM.fullmatch(text)
    if found is None:
        msg = "must be a rate such as 100/s, 6000/min or 10/h"
        raise ValueError(msg)
    return Rate(int(found[1]), found[2])


class TokenBucket:
    """Limits calls to a rate, with a burst of the rate's whole amount: three at once for 3/min.

    Calls at different rates may share a bucket: each finds what the others have left of it. Times
    are seconds of any clock that never goes back.
    """

    __slots__ = ("_filled_at", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._tokens = float(rate.times)
        self._filled_at = now

    def take(self, rate: Rate, now: float) -> float:
        """Take a token and return 0, or return the seconds until the next token at that rate."""
        gained = max(0.0, now - self._filled_at) * rate.per_second
        self._tokens = min(float(rate.times), self._tokens + gained)
        self._filled_at = now
        if self._tokens >= 1 - _ROUNDING:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / rate.per_second
