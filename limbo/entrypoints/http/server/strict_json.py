"""Reads JSON strictly by RFC 8259, and says where a body breaks it.

It uses Python's own parser, because only that one shows a name that an object has twice.
"""

import json
import re
from collections.abc import Iterator

from limbo.domain.errors import LimboError

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_MAX_DIGITS = 18
_MAX_SEARCHED = 65_536
_MAX_SHOWN = 40
# A string may also end where the text ends: so the search tries no string twice.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\]:]|NaN|-?Infinity')


class NotJson(LimboError):  # noqa: N818 - a state of the body
    """The body is no JSON object; the text says why and where, and quotes nothing of it."""


class _ConstantError(NotJson):
    """NaN or an infinity, which JavaScript knows and JSON does not."""


class _DuplicateError(NotJson):
    """A name given twice in one object; parsers disagree about which of them counts."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def parse_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in the body; raises NotJson."""
    text = _decode(body)
    try:
        document = _decoded(text)
    except json.JSONDecodeError as error:
        problem = f"the body is not JSON: {error.msg.removesuffix(' at')}{_at(text, error.pos)}"
    except _ConstantError:
        found = next((token for token in _tokens(text) if token[0][0] in "NI-"), None)
        at = _at(text, found.start()) if found else ""
        problem = f"the body is not JSON: NaN and Infinity are no numbers{at}"
    except _DuplicateError as error:
        problem = f"{_shown(error.name)}: given twice in one object{_second(text, error.name)}"
    except RecursionError:
        problem = "the body is nested too deeply"
    else:
        if isinstance(document, dict):
            return document
        problem = "the body must be a JSON object: {…}"
    raise NotJson(problem)


def _decode(body: bytes) -> str:
    if not body.strip(b" \t\r\n"):
        msg = "the body is empty; it must be a JSON object"
        raise NotJson(msg)
    if body.startswith(_UTF8_BOM):
        msg = "the body begins with a byte order mark; send UTF-8 without one"
        raise NotJson(msg)
    if body.startswith(_UTF16_BOMS) or 0 in body[:2]:
        msg = "the body is UTF-16 or UTF-32; send UTF-8"
        raise NotJson(msg)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        before = body[: error.start].decode()
        msg = f"the body is not UTF-8{_at(before, len(before))}"
        raise NotJson(msg) from None


def _decoded(text: str) -> object:
    """Return what ``decode`` returns, without its search for space around the document."""
    if text[0] == "{":
        document, end = _DECODER.raw_decode(text)
        if end == len(text):
            return document
    return _DECODER.decode(text)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _DuplicateError(name)
            seen.add(name)
    return result


def _constant(_: str) -> object:
    raise _ConstantError


def _integer(digits: str) -> int | float:
    """Read a long number as a float: reading it as an integer would take quadratic time."""
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer)


def _shown(name: str) -> str:
    return name if name.isidentifier() and len(name) <= _MAX_SHOWN else "a name"


def _second(text: str, name: str) -> str:
    """Find where an object gets a name that it already has."""
    objects: list[set[str]] = []
    before: re.Match[str] | None = None
    for token in _tokens(text):
        match token[0]:
            case "{" | "[":
                objects.append(set())
            case "}" | "]":
                objects.pop()
            case ":" if before is not None:
                if json.loads(before[0]) != name:
                    continue
                if name in objects[-1]:
                    return _at(text, before.start())
                objects[-1].add(name)
            case _:
                before = token
    return ""


def _tokens(text: str) -> Iterator[re.Match[str]]:
    """Yield the strings, brackets, colons and constants of a text."""
    return _TOKEN.finditer(text, 0, _MAX_SEARCHED)


def _at(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f" at line {line}, column {column}"
