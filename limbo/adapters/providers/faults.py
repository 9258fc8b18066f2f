"""Whose fault a provider's answer is: the rules that all providers share."""

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

from limbo.adapters.providers.response import NotSent, ResponseLost
from limbo.domain.delivery.verdict import Failed, Fault

# 404 is about the account's domain or endpoint. 407 comes from a proxy.
_FAULTS = {
    **dict.fromkeys((401, 402, 403, 404, 407), Fault.ACCOUNT),
    **dict.fromkeys((408, 425, 429), Fault.RATE),
}
_CLIENT_ERROR = 400
_SERVER_ERROR = 500
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_LONGEST_TEXT = 1000


def status_fault(status: int) -> Fault:
    """Return the fault for an HTTP status."""
    if fault := _FAULTS.get(status):
        return fault
    if status >= _SERVER_ERROR:
        return Fault.OUTAGE
    # Below 400 are redirects, and successes of a server that is not the provider.
    return Fault.MAIL if status >= _CLIENT_ERROR else Fault.ACCOUNT


def exchange_failure(error: NotSent | ResponseLost) -> Failed:
    """Return the failure for an exchange without an answer."""
    if isinstance(error, NotSent):
        return Failed(Fault.OUTAGE, f"not reached: {error}")
    return Failed(Fault.UNKNOWN, f"no answer: {error}")


def read_retry_after(value: str, now: float) -> float | None:
    """Read a Retry-After (RFC 9110, section 10.2.3) as seconds from ``now``, a Unix time."""
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def clean_text(value: object) -> str:
    """Return the text without characters that no log or database takes; "" if it is no text."""
    text = value if isinstance(value, str) else ""
    text = text[: 2 * _LONGEST_TEXT]
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_LONGEST_TEXT]


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text with ``<key>`` in place of each secret."""
    for secret in secrets:
        text = text.replace(secret, "<key>")
    return text
