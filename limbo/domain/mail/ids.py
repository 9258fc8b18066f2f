"""Ids of mails: UUIDs of version 7 (RFC 9562), which sort by the time of their creation."""

import os
import re
from collections import deque

ID_PATTERN = "[A-Za-z0-9_-]{1,64}"
_ID = re.compile(ID_PATTERN)
_UUID = re.compile("[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}", re.IGNORECASE | re.ASCII)
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_DRAWN_AT_ONCE = 256
_drawn: deque[bytes] = deque()
os.register_at_fork(after_in_child=_drawn.clear)

_LAST = (1 << 48) / 1000 - 1  # seconds: the latest time that fits into an id


def mail_id(now: float, entropy: bytes | None = None) -> str:
    """Return a new id for the time ``now``, in seconds since the epoch, from 8 random bytes.

    The time within the millisecond takes 12 bits (section 6.2, method 3). So ids that one process
    makes one after another sort in that order.
    """
    time, random = f"{int(now * 4_096_000):015x}", (entropy or _random_bytes()).hex()
    variant = _VARIANTS[random[0]]
    return f"{time[:8]}-{time[8:12]}-7{time[12:]}-{variant}{random[1:4]}-{random[4:]}"


def _random_bytes() -> bytes:
    """Return random bytes from a stock, because the system call releases the interpreter's lock.

    No two threads get the same bytes, because ``pop`` is atomic.
    """
    try:
        return _drawn.pop()
    except IndexError:
        entropy = os.urandom(8 * _DRAWN_AT_ONCE)
        first, *rest = (entropy[at : at + 8] for at in range(0, len(entropy), 8))
        _drawn.extend(rest)
        return first


def is_mail_id(text: str) -> bool:
    """Tell whether the text has the form of an id. If not, no store needs to be asked."""
    return _ID.fullmatch(text) is not None


def canonical_id(text: str) -> str:
    """Return a UUID in lower case, as limbo and SQS make it, and any other text unchanged."""
    return text.lower() if _UUID.fullmatch(text) else text


def lowest_id(at: float) -> str:
    """Return an id that sorts before all ids of mails submitted at this time or later."""
    return mail_id(min(max(at, 0.0), _LAST), bytes(8))
