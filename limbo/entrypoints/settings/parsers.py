"""Parsers for the texts of variables.

Each raises ValueError with a text that ends the sentence "LIMBO_… must be …".
"""

import base64
import math
import re
from collections.abc import Callable, Mapping

_BODY_KEY = re.compile(r"([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=)")
_SQS_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")

_HOST = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


def text(value: str) -> str:
    """Take any text."""
    return value


def secret(value: str) -> bytes:
    """Take a text of 16 or more characters, as bytes."""
    if len(value) < 16:  # noqa: PLR2004
        raise ValueError("16 characters or more, such as `openssl rand -base64 32` makes")
    return value.encode()


def body_keys(value: str) -> Mapping[str, bytes]:
    """Read keys of 32 bytes by id: ``id:base64,…``."""
    keys = {}
    for item in value.split(","):
        found = _BODY_KEY.fullmatch(item.strip())
        key = base64.b64decode(found[2]) if found else b""
        if found is None or len(key) != 32 or found[1] in keys:  # noqa: PLR2004
            raise ValueError(
                "id:base64 of 32 bytes, comma-separated, with different ids of A-Z a-z 0-9 _ -;"
                " `openssl rand -base64 32` makes such a key"
            )
        keys[found[1]] = key
    return keys


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from ``least`` to ``most``."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(value)

    return parse


def seconds(least: float, most: float) -> Callable[[str], float]:
    """Return a parser of seconds from ``least`` to ``most``."""

    def parse(value: str) -> float:
        number = _number(value)
        if not least <= number <= most:
            raise ValueError(f"a number of seconds from {least:g} to {most:g}")
        return number

    return parse


def days(value: str) -> float:
    """Read a number of days, at most 100 years."""
    number = _number(value)
    if not 0 < number <= 36_525:  # noqa: PLR2004
        raise ValueError("a number of days above 0, at most 36525")
    return number


def delays(value: str) -> tuple[float, ...]:
    """Read one or more seconds, comma-separated, at most 12 hours each."""
    numbers = tuple(_number(item.strip()) for item in value.split(","))
    if not all(0 <= number <= 43_200 for number in numbers):  # noqa: PLR2004
        raise ValueError("seconds from 0 to 43200, comma-separated, such as 30,300")
    return numbers


def hosts(value: str) -> tuple[str, ...]:
    """Read one or more names or addresses of hosts, comma-separated, each perhaps with a port."""
    found = tuple(item.strip().lower() for item in value.split(","))
    if not all(_HOST.fullmatch(item) for item in found):
        raise ValueError("names of hosts, comma-separated, such as mail.example.com,limbo:8080")
    return found


def sqs_queue(value: str) -> str:
    """Read the name or the URL of an SQS queue."""
    if _SQS_NAME.fullmatch(value) or value.startswith(("https://", "http://")):
        return value
    raise ValueError("the name or the URL of an SQS queue")


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan
