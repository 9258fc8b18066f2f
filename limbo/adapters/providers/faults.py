"""Whose fault a provider's answer is: the rules that all providers share."""

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime

from limbo.adapters.providers.response import NotSent, ResponseLost
from limbo.domain.delivery.verdict import Failed, Fault
from limbo.domain.mail.address import Address
from limbo.domain.mail.mail import Mail

# 404 is about the account's domain or endpoint. 407 comes from a proxy. So do 502 and 504, and 520
# and 524 of Cloudflare's, which do not say whether the provider behind it took the mail. 303 says
# that something took it.
_FAULTS = {
    **dict.fromkeys((401, 402, 403, 404, 407), Fault.ACCOUNT),
    **dict.fromkeys((408, 425, 429), Fault.RATE),
    **dict.fromkeys((303, 502, 504, 520, 524), Fault.UNKNOWN),
}
_REDIRECT = 300
_CLIENT_ERROR = 400
_SERVER_ERROR = 500
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_LONGEST_TEXT = 1000
_WORD = re.compile(r"""[^\s<>()\[\],;:"'/]+""")


def status_fault(status: int) -> Fault:
    """Return the fault for the HTTP status of an answer that is no acceptance."""
    if fault := _FAULTS.get(status):
        return fault
    if status >= _SERVER_ERROR:
        return Fault.OUTAGE
    if status >= _CLIENT_ERROR:
        return Fault.MAIL
    # A redirect means that the URL is wrong. A success that is none of the provider's, or only an
    # announcement of one, leaves open whether the mail was taken.
    return Fault.ACCOUNT if status >= _REDIRECT else Fault.UNKNOWN


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


def name_addresses(text: str, *, mail: Mail, sources: Iterable[Address] = ()) -> str:
    """Return the text with ``<from>`` and ``<recipient>`` in place of the mail's own addresses.

    ``sources`` are other addresses that it is sent from. A masked address would not say which of
    them the provider refused.
    """
    names = {address.email.lower(): "<recipient>" for address in mail.recipients}
    names |= {address.email.lower(): "<from>" for address in (mail.from_, *sources)}

    def name(word: re.Match[str]) -> str:
        bare = word[0].rstrip(".")
        found = names.get(bare.lower())
        return word[0] if found is None else found + word[0][len(bare) :]

    return _WORD.sub(name, text)


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return the text with ``<key>`` in place of each secret."""
    for secret in secrets:
        text = text.replace(secret, "<key>")
    return text
