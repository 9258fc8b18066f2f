"""Rules for text that ends up in a header, a log or an error."""

import re

_MAX_LINE = 300
MASKED_ADDRESS = "<address>"
# Characters that change the direction of a line, and so can make it look different (UAX #9).
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_DECEPTIVE = re.compile(f"[{_DIRECTIONS}]")
# C0, DEL and C1 (ISO 6429), the two separators that Unicode calls line ends, lone surrogates.
_UNSAFE_IN_HEADER = re.compile(
    f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff{_DIRECTIONS}]"
)
# A body may have lines and tabs. U+FFFE and U+FFFF are refused because SQS refuses them.
_UNSAFE_IN_BODY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_SAFE_IN_BODY = b"\t\n\r" + bytes(range(0x20, 0x7F))
# The start of an encoded word (RFC 2047) is enough: before 3.11.10, Python's email package decoded
# `=?utf-8?q?=0aBcc:_x@y.z` into a real Bcc line, with or without a `?=` at the end.
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bq]\?", re.IGNORECASE)
# The look-behind keeps the search linear: it tries a run of letters from its start only.
_ADDRESS = re.compile(
    r"""(?:"[^"]*"|(?<![^\s<>()\[\]\\,;:"@])[^\s<>()\[\]\\,;:"@]+)"""
    r"""@(?:\[[^\s\]]+\]?|[^\s<>()\[\]{}"',;:=@]+)"""
)


def header_problem(text: str) -> str | None:
    """Return what makes the text unfit for a header line, or None if it is fit."""
    # Printable text holds nothing unsafe, and isprintable() is much faster than the search.
    if not text.isprintable() and (found := _UNSAFE_IN_HEADER.search(text)):
        return _control_character(found)
    if "=?" in text and _ENCODED_WORD.search(text):
        return "holds an encoded word (=?…?=); send the characters themselves, in UTF-8"
    return None


def header_line_problem(text: str, limit: int) -> str | None:
    """Like ``header_problem``, for a text of at most ``limit`` characters."""
    if len(text) > limit:
        return f"has {len(text)} characters; at most {limit} are allowed"
    return header_problem(text)


def body_problem(text: str) -> str | None:
    """Return what makes the text unfit for a body, or None if it is fit."""
    if text.isascii() and not text.encode().translate(None, _SAFE_IN_BODY):
        return None  # the search would find nothing, but takes longer
    found = _UNSAFE_IN_BODY.search(text)
    return _control_character(found) if found else None


def redact(text: str) -> str:
    """Do what ``one_line`` does, and mask every address in the text."""
    return one_line(without_addresses(text))


def escape_controls(text: str) -> str:
    """Return a text of several lines with an escape for each character that controls its reader."""
    return _UNSAFE_IN_HEADER.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    return character if character in "\n\t" else character.encode("unicode_escape").decode()


def without_directions(text: str) -> str:
    """Return the text without the characters that change the direction of a line."""
    return text if text.isprintable() else _DECEPTIVE.sub("", text)


def without_addresses(text: str) -> str:
    """Return the text with every address masked."""
    return _ADDRESS.sub(MASKED_ADDRESS, text) if "@" in text else text


def one_line(text: str) -> str:
    """Return a foreign text as one line of at most 300 characters, fit for a log."""
    line = one_space(text)
    return line if len(line) <= _MAX_LINE else line[: _MAX_LINE - 1] + "…"


def plain(text: str) -> str:
    """Return the text without what deceives, and with spaces for what controls."""
    if text.isprintable():  # then it holds neither, and the search would take longer
        return text
    return _UNSAFE_IN_HEADER.sub(" ", _DECEPTIVE.sub("", text))


def one_space(text: str) -> str:
    """Return the text as one line, with one space for each white space."""
    return " ".join(plain(text).split())


def _control_character(found: re.Match[str]) -> str:
    return f"holds a forbidden character (U+{ord(found[0]):04X}) at position {found.start()}"
