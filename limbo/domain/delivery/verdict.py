"""What became of one try at one provider, and who is to blame."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from limbo.domain.mail.text import one_line, redact


class Fault(StrEnum):
    """Who is to blame for a failure; the blame alone decides what happens next."""

    MAIL = "mail"
    """This mail can never be accepted as it is."""
    ACCOUNT = "account"
    """Our credentials, identity, domain or plan at this provider."""
    RATE = "rate"
    """The provider asks us to slow down."""
    OUTAGE = "outage"
    """The provider could not be reached, or failed before it took the mail."""
    UNKNOWN = "unknown"
    """The mail left us and no answer came: it may have been sent."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the mail, and calls it ``provider_id``, kept as one line."""

    provider_id: str = ""

    def __post_init__(self) -> None:
        """Keep what a provider may answer fit for a log and for JSON."""
        object.__setattr__(self, "provider_id", one_line(self.provider_id))


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider did not take the mail.

    ``reason`` is the provider's answer as one line with every address masked, whatever is passed.
    ``retry_after`` is in seconds; what is no time to wait (negative, NaN, infinite) becomes None.
    """

    fault: Fault
    reason: str
    retry_after: float | None = None

    def __post_init__(self) -> None:
        """Keep addresses out of every log, metric and dead letter."""
        object.__setattr__(self, "reason", redact(self.reason))
        if self.retry_after is not None and not 0 <= self.retry_after < math.inf:
            object.__setattr__(self, "retry_after", None)


Verdict = Accepted | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call of one provider: ``started_at`` in seconds since the epoch, ``duration`` in seconds.

    ``error`` is what a sender raised though it should have returned a verdict: a defect of ours.
    """

    sender: str
    started_at: float
    duration: float
    verdict: Verdict
    error: Exception | None = None


UNDECODABLE = "undecodable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a mail is dead: ``kind`` is a Fault's value or ``UNDECODABLE``.

    ``sender`` is empty where no provider was involved.
    """

    kind: str
    reason: str
    sender: str = ""

    def __post_init__(self) -> None:
        """Keep the reason to one line of 300 characters, as it goes to logs and indexes."""
        object.__setattr__(self, "reason", one_line(self.reason))

    @property
    def id(self) -> str:
        """A short name for it, the same everywhere and always: eight hexadecimal digits."""
        text = f"{self.kind}\0{self.sender}\0{self.reason}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def matches(self, name: str) -> bool:
        """Say whether somebody who gives this name means it, by its id or by its kind."""
        return name in (self.id, self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Why a mail goes to the dead letters, and the attempts of its last touch."""

    cause: Cause
    attempts: Sequence[Attempt] = ()
