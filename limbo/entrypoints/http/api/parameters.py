"""The parameters of a query string: each knows its schema, and parses its own text."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

from limbo.domain.access.api_key import CLIENT_PATTERN
from limbo.domain.access.audit import Action
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.mail.address import parse_address
from limbo.domain.mail.ids import canonical_id, is_mail_id
from limbo.domain.mail.mail import YEAR_10000
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.problems import HttpRefusal

T = TypeVar("T")
MAX_PAGE = 100
MAX_WAIT = 60
MAX_CAUSE = 200
_MAX_QUERY = 4096
_MAX_WHO = 200
_NUMBER = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_NAME = re.compile(CLIENT_PATTERN)
_WHOLE = re.compile(r"[0-9]{1,3}")
# A plus sign that was not escaped arrives as a space.
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}):([0-9]{2})(\.[0-9]+)?"
    r"([Zz]|[+ -][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter(Generic[T]):
    """One parameter; ``parse`` raises ValueError with a text that says what is allowed."""

    name: str
    kind: Any
    description: str
    parse: Callable[[str], T]
    default: T

    def read(self, query: Mapping[str, str]) -> T:
        """Return its value in the query; raises HttpRefusal with 400."""
        text = query.get(self.name)
        if text is None:
            return self.default
        try:
            return self.parse(text)
        except ValueError as error:
            raise _refused(f"{self.name}: {error}") from None


def parse_query(query_string: bytes, known: Iterable[str]) -> dict[str, str]:
    """Return the parameters by name; raises HttpRefusal with 400 for an unknown or repeated one."""
    names = tuple(known)
    if len(query_string) > _MAX_QUERY:
        detail = f"the query is longer than {_MAX_QUERY} bytes"
        raise _refused(detail)
    try:
        pairs = parse_qsl(query_string.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise HttpRefusal(HTTPStatus.BAD_REQUEST, "the query is not UTF-8") from None
    query: dict[str, str] = {}
    for name, value in pairs:
        if name not in names:
            shown = name if name.isidentifier() and name.isascii() and len(name) <= 40 else "…"  # noqa: PLR2004
            detail = f"{shown}: unknown parameter; known are {', '.join(names) or 'none'}"
            raise _refused(detail)
        if name in query:
            raise _refused(f"{name}: given twice")
        query[name] = value
    return query


def _refused(detail: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.BAD_REQUEST, detail, code=Code.INVALID_PARAMETER)


def parse_status(text: str) -> Status:
    """Return the status; raises ValueError that names all statuses."""
    try:
        return Status(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Status)}") from None


def parse_action(text: str) -> Action:
    """Return the action; raises ValueError that names all actions."""
    try:
        return Action(text)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Action)}") from None


def parse_who(text: str) -> str:
    """Return who did something, whether or not somebody is called so."""
    if not 0 < len(text) <= _MAX_WHO or not text.isprintable():
        raise ValueError("must be key:ID, user:NAME or anonymous")
    return text


def parse_email(text: str) -> str:
    """Return the ASCII form of an address, without a name."""
    return parse_address(text).email


def parse_page(text: str) -> int:
    """Return a number of entries from 1 to MAX_PAGE."""
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MAX_PAGE:
        raise ValueError(f"must be a whole number from 1 to {MAX_PAGE}")
    return int(text)


def parse_wait(text: str) -> float:
    """Return a number of seconds from 0 to MAX_WAIT, written without a sign."""
    if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= MAX_WAIT:
        raise ValueError(f"must be a number of seconds from 0 to {MAX_WAIT}")
    return float(text)


def parse_id(text: str) -> str:
    """Return the text if it has the form of an id, whether or not a mail has that id."""
    if not is_mail_id(text):
        raise ValueError("must be an id: 1 to 64 of A-Z a-z 0-9 _ -")
    return canonical_id(text)


def no_position() -> HttpRefusal:
    """Return the refusal of a page that is to begin behind what is not in the list."""
    detail = "after: nothing in the list has that id; begin again at the first page"
    return HttpRefusal(HTTPStatus.BAD_REQUEST, detail, code=Code.UNKNOWN_POSITION)


def parse_cause(text: str) -> str:
    """Return what may be the name of a cause."""
    if not 0 < len(text) <= MAX_CAUSE or "\0" in text:
        raise ValueError(
            f"must be the id or the kind of a cause, of at most {MAX_CAUSE} characters"
        )
    return text


def parse_name(text: str) -> str:
    """Return the name of a client, or the id of a key, whether or not there is one."""
    if not _NAME.fullmatch(text):
        raise ValueError("must be 1 to 64 of a-z 0-9 . _ -, a letter or digit first")
    return text


def parse_since(text: str) -> float:
    """Return seconds since the epoch, given as such or as a time of RFC 3339, to the year 9999."""
    if _NUMBER.fullmatch(text) and float(text) < YEAR_10000:
        return float(text)
    found = _RFC3339.fullmatch(text)
    problem = "must be a time such as 2026-11-14T22:13:20Z, or seconds since the epoch"
    if found is None:
        raise ValueError(problem)
    day, minute, second, fraction, offset = found.groups()
    leap = second == "60"  # a leap second; Python does not know them
    zone = "+00:00" if offset in "Zz" else offset.replace(" ", "+")
    try:
        at = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}{zone}")
    except ValueError:
        raise ValueError(problem) from None
    return (at - _EPOCH + timedelta(seconds=leap)).total_seconds() + float(fraction or 0)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
