"""Ids of mails: UUID version 7 (RFC 9562), which sort by the time they were made."""

import os
import re

ID_PATTERN = "[A-Za-z0-9_-]{1,64}"
_ID = re.compile(ID_PATTERN)


def mail_id(now: float, entropy: bytes | None = None) -> str:
    """Return a new id for the time ``now``, in seconds since the epoch, from 10 random bytes."""
    bits = int(now * 1000) << 80 | int.from_bytes(entropy or os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76
    text = f"{bits & ~(0x3 << 62) | 0x2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_mail_id(text: str) -> bool:
    """Say whether it can be an id at all; no store need be asked for anything else."""
    return _ID.fullmatch(text) is not None
