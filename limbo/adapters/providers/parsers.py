"""Parse senders' variables. The ValueErrors' texts end the sentence "LIMBO_… must be …"."""

import re

from limbo.domain.mail.address import parse_address


def address(value: str) -> str:
    """Read one mail address, with or without a name."""
    try:
        return str(parse_address(value))
    except ValueError as error:
        raise ValueError(f"an address such as shop@example.com ({error})") from None


def http_url(value: str) -> str:
    """Read the base URL of an HTTP API."""
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", value):
        raise ValueError("a URL such as https://api.mailgun.net")
    return value.rstrip("/")
