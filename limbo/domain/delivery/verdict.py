"""The result of one attempt at one provider, and whose fault a failure is."""

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from limbo.domain.mail.text import one_line, redact


class Fault(StrEnum):
    """Whose fault a failure is. This alone decides what happens next."""

    MAIL = "mail"
    """The mail is at fault: as it is, no provider will ever accept it."""
    ACCOUNT = "account"
    """Our account at this provider is at fault, whoever's mail it is: credentials or plan."""
    IDENTITY = "identity"
    """The provider does not let us send from this address, or in a sandbox to this one."""
    RATE = "rate"
    """The provider asks us to slow down."""
    OUTAGE = "outage"
    """The provider could not be reached, or failed before it took the mail."""
    UNKNOWN = "unknown"
    """The request was sent and no answer came: the mail may have been sent."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the mail. ``provider_id`` is the provider's id for it, kept as one line."""

    provider_id: str = ""

    def __post_init__(self) -> None:
        """Make the provider's id safe for logs and JSON."""
        object.__setattr__(self, "provider_id", one_line(self.provider_id))


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider did not take the mail.

    ``reason`` is the provider's answer as one line. Addresses in it are masked here.
    ``retry_after`` is in seconds. Values that are no time to wait (negative, NaN, infinite) become
    None.
    """

    fault: Fault
    reason: str
    retry_after: float | None = None

    def __post_init__(self) -> None:
        """Keep addresses out of all logs, metrics and dead letters."""
        object.__setattr__(self, "reason", redact(self.reason))
        if self.retry_after is not None and not 0 <= self.retry_after < math.inf:
            object.__setattr__(self, "retry_after", None)


Verdict = Accepted | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call of one provider.

    ``started_at`` is in seconds since the epoch, ``duration`` in seconds. ``error`` is the
    exception of a sender that should have returned a verdict: a bug in limbo.
    """

    sender: str
    started_at: float
    duration: float
    verdict: Verdict
    error: Exception | None = None


UNDECODABLE = "undecodable"
_STATUS = re.compile(r"[2-5]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3})?(?!\S)")
# The look-behind keeps the search linear: it tries a word from its start only.
_NUMBER_OR_ID = re.compile(r"(?<![\w.:+/=-])[\w.:+/=-]*?(?:\d|\b[a-fA-F]{8,}\b)[\w.:+/=-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a mail is dead. ``kind`` is a Fault's value or ``UNDECODABLE``.

    ``sender`` is empty if no provider was involved.
    """

    kind: str
    reason: str
    sender: str = ""

    def __post_init__(self) -> None:
        """Limit the reason to one line of 300 characters, because it goes to logs and indexes."""
        object.__setattr__(self, "reason", one_line(self.reason))

    @property
    def id(self) -> str:
        """A short name for the cause: eight hexadecimal digits, the same everywhere and always.

        Reasons that differ only in numbers and ids, such as that of the request, are one cause.
        """
        text = f"{self.kind}\0{self.sender}\0{_without_numbers(self.reason)}"
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def matches(self, name: str) -> bool:
        """Tell whether the name means this cause: it is its id or its kind."""
        return name in (self.id, self.kind)


def _without_numbers(reason: str) -> str:
    """Return the reason with # for each word with a digit, but for the status that it begins with.

    The status is that of HTTP or SMTP (RFC 3463 has the second number), as in `550 5.7.1 no`.
    """
    status = _STATUS.match(reason)
    start = status.end() if status else 0
    return reason[:start] + _NUMBER_OR_ID.sub("#", reason[start:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Why a mail goes to the dead letters, and the attempts of its last touch."""

    cause: Cause
    attempts: Sequence[Attempt] = ()
