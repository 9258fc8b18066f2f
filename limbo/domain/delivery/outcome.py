"""What became of one touch of a mail."""

from collections.abc import Sequence
from dataclasses import dataclass

from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.verdict import Attempt, Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A provider accepted the mail."""

    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """The mail goes back to the queue for ``delay`` seconds.

    ``touched`` is False when no provider is known to have failed this mail: none was free, or all
    that failed did so for a reason that is no news about the mail (a probe, a key, a throttle, an
    outage that other mails met as well).
    """

    attempts: Sequence[Attempt]
    delay: float
    touched: bool
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """The mail goes to the dead letters."""

    attempts: Sequence[Attempt]
    cause: Cause
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The touch was ended from outside, or not begun at all."""

    attempts: Sequence[Attempt]
    why: Stop


Outcome = Sent | Deferred | Dead | Stopped
