"""The outcome of one touch of a mail."""

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

    ``touched`` is False when no provider failed because of this mail. Either none was free, or each
    failure says nothing about the mail: a probe, a wrong credential, a throttle, or an outage that
    other mails met as well.
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
    """The touch was stopped from outside, perhaps before it began."""

    attempts: Sequence[Attempt]
    why: Stop


Outcome = Sent | Deferred | Dead | Stopped
