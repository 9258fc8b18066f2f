"""The outcome of one touch of a mail."""

from collections.abc import Sequence
from dataclasses import dataclass

from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.verdict import Attempt, Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A provider accepted the mail."""

    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """The mail goes back to the queue for ``delay`` seconds.

    ``touched`` is False when the touch says nothing about this mail: no provider was free, or each
    failure is explained without it, as a probe, a wrong credential, a throttle, an address that is
    not verified, or a failure that other mails met as well. ``evidence`` is what is known after it.
    """

    attempts: Sequence[Attempt]
    delay: float
    touched: bool
    possible_duplicate: bool = False
    evidence: Evidence = NO_EVIDENCE


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
