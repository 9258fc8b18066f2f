"""Rules for text that ends up in a header, a log or an error."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

_MAX_LINE = 300
_MASKED_ADDRESS = "<address>"
_MOST_OF_A_WORD = 4000  # characters; no text that is masked is as long
_LEAST_BEGUN = 4  # characters of a word that is cut off; fewer may stand there by chance
# C0, DEL and C1 (ISO 6429), the two separators that Unicode calls line ends, and lone surrogates.
_UNSAFE_IN_HEADER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
# Characters that change the direction of a line, and so can make it look different.
_DECEPTIVE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
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
    return one_line(_without_addresses(text))


def mask_words(text: str, words: Iterable[str]) -> str:
    """Return the text with an ellipsis in place of each word, in upper or lower case.

    A word is found as it stands in a mail, and as ``redact`` has perhaps made it a part of the
    text: with other white space, without its addresses, cut at the end. It may be megabytes of a
    mail, which is too much for a regular expression.
    """
    folded, origins = [], []
    for index, letter in enumerate(text):
        folded.append(_folded(letter))
        origins += [index] * len(folded[-1])
    masked, end = [], 0
    for start, stop in sorted(_spans("".join(folded), words)):
        first, last = origins[start], origins[stop - 1]
        if first >= end:
            masked += [text[end:first], "…"]
        end = max(end, last + 1)
    return "".join([*masked, text[end:]])


def _spans(folded: str, words: Iterable[str]) -> Iterator[tuple[int, int]]:
    cut = folded.removesuffix("…")
    forms = chain.from_iterable(_forms(word[:_MOST_OF_A_WORD]) for word in words)
    for word in set(map(_folded, forms)) - {""}:
        start = folded.find(word)
        while start >= 0:
            yield start, start + len(word)
            start = folded.find(word, start + len(word))
        if len(cut) < len(folded) and (begun := _begun(word, cut)) is not None:
            yield begun, len(cut)


def _begun(word: str, text: str) -> int | None:
    """Return where the word begins that the end of the text has cut off, if it is one."""
    start = text.find(word[:_LEAST_BEGUN], max(0, len(text) - len(word)))
    while start >= 0:
        if word.startswith(text[start:]):
            return start
        start = text.find(word[:_LEAST_BEGUN], start + 1)
    return None


def _forms(word: str) -> set[str]:
    redacted = _line(_without_addresses(word))
    return {word, _line(word), *([] if redacted == _MASKED_ADDRESS else [redacted])}


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub(_MASKED_ADDRESS, text)


def _folded(text: str) -> str:
    """Make texts equal that differ only in case. The letter i has a third and a fourth case."""
    return text.upper().casefold().replace("\u0307", "")


def one_line(text: str) -> str:
    """Return a foreign text as one line of at most 300 characters, fit for a log."""
    line = _line(text)
    return line if len(line) <= _MAX_LINE else line[: _MAX_LINE - 1] + "…"


def _line(text: str) -> str:
    return " ".join(_UNSAFE_IN_HEADER.sub(" ", _DECEPTIVE.sub("", text)).split())


def _control_character(found: re.Match[str]) -> str:
    return f"holds a forbidden character (U+{ord(found[0]):04X}) at position {found.start()}"
