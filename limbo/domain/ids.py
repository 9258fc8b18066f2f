"""Ids of mails: UUID version 7 (RFC 9562), which sort by the time they were made."""

import os


def mail_id(now: float, entropy: bytes | None = None) -> str:
    """Return a new id for the time ``now``, in seconds since the epoch, from 10 random bytes."""
    bits = int(now * 1000) << 80 | int.from_bytes(entropy or os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | 0x7 << 76
    text = f"{bits & ~(0x3 << 62) | 0x2 << 62:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
