"""A mail and every rule it must meet; no invalid ``Mail`` exists."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from limbo.domain.errors import InvalidMail, Problem
from limbo.domain.mail.address import Address, parse_address
from limbo.domain.mail.text import body_problem, header_line_problem

VERSION = 1
MAX_RECIPIENTS = 50  # SES refuses more in one message.
MAX_ENTRIES = 100  # in one field, repeats included: more is no mistake, but work for nothing
MAX_SUBJECT = 998  # RFC 5322, section 2.1.1
MAX_PROBLEMS = 100
YEAR_10000 = 253402300800  # in seconds since the epoch: no later time is written by RFC 3339
FIELDS = ("subject", "message", "to", "cc", "bcc", "from")
_FIELDS = frozenset(FIELDS)

# Receivers are many and senders few; but no client may fill the memory with long texts.
_known_from = lru_cache(maxsize=1024)(parse_address)
_MAX_KNOWN = 320
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail as limbo keeps and sends it, built by ``parse_mail`` alone.

    ``submitted_at`` is in seconds since the epoch. ``extra`` holds what a newer version of limbo
    wrote and this one does not know; ``version`` is the version that wrote it.
    """

    id: str
    submitted_at: float
    from_: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    subject: str
    message: str
    version: int = VERSION
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Everybody who gets the mail."""
        return (*self.to, *self.cc, *self.bcc)

    @property
    def is_supported(self) -> bool:
        """False when a newer limbo wrote it: sending it from here might leave something out."""
        return self.version <= VERSION


def parse_mail(document: Mapping[str, object], *, id: str, submitted_at: float) -> Mail:  # noqa: A002
    """Build a mail from a JSON object with the fields of ``FIELDS``.

    ``to``, ``cc`` and ``bcc`` are one address or a list of them. A recipient named more than once
    gets the mail once, in the first field that names it.

    Raises InvalidMail with every problem found, in the order of ``FIELDS``, unknown fields last.
    """
    problems: list[Problem] = []
    subject = _text(document, "subject", problems, _subject_problem)
    message = _text(document, "message", problems, body_problem)
    to, cc, bcc = _recipients(document, problems)
    from_ = _sender(document, problems)
    if not document.keys() <= _FIELDS:
        problems += [_unknown(name) for name in document if name not in _FIELDS]
    if problems or from_ is None:
        raise InvalidMail(_first(problems))
    return Mail(
        id=id,
        submitted_at=submitted_at,
        from_=from_,
        to=to,
        cc=cc,
        bcc=bcc,
        subject=subject,
        message=message,
    )


def _text(
    document: Mapping[str, object],
    name: str,
    problems: list[Problem],
    check: Callable[[str], str | None],
) -> str:
    value = document.get(name)
    detail: str | None
    if value is None or value == "":
        detail = f"no {name} defined"
    elif not isinstance(value, str):
        detail = f"{name}: must be a string, not {_kind(value)}"
    else:
        problem = check(value)
        if problem is None:
            return value
        detail = f"{name}: {problem}"
    problems.append(Problem(pointer=f"/{name}", detail=detail))
    return ""


def _subject_problem(subject: str) -> str | None:
    return header_line_problem(subject, MAX_SUBJECT)


def _recipients(
    document: Mapping[str, object], problems: list[Problem]
) -> tuple[tuple[Address, ...], ...]:
    seen: set[str] = set()
    found = len(problems)
    to, cc, bcc = (
        _receivers(document.get("to", ""), "to", seen, problems),
        _receivers(document["cc"], "cc", seen, problems) if "cc" in document else (),
        _receivers(document["bcc"], "bcc", seen, problems) if "bcc" in document else (),
    )
    if len(seen) > MAX_RECIPIENTS:
        detail = f"to, cc, bcc: {len(seen)} receivers; at most {MAX_RECIPIENTS} are allowed"
        problems.append(Problem(pointer="/to", detail=detail))
    return (to, cc, bcc) if len(problems) == found else ((), (), ())


def _receivers(
    value: object, name: str, seen: set[str], problems: list[Problem]
) -> tuple[Address, ...]:
    if value is None or value in ("", []):
        if name == "to":
            problems.append(Problem(pointer="/to", detail="no receivers defined"))
        return ()
    items = value if isinstance(value, list) else [value]
    if len(items) > MAX_ENTRIES:
        detail = f"{name}: {len(items)} entries; at most {MAX_ENTRIES} are allowed"
        problems.append(Problem(pointer=f"/{name}", detail=detail))
        return ()
    addresses = []
    for index, item in enumerate(items):
        if isinstance(item, str):
            try:
                address = parse_address(item)
            except ValueError as error:
                problem = str(error)
            else:
                if address.email not in seen:
                    seen.add(address.email)
                    addresses.append(address)
                continue
        else:
            expected = "a string" if items is value else "a string or a list of strings"
            problem = f"must be {expected}, not {_kind(item)}"
        pointer, at = (f"/{index}", f"[{index}]") if items is value else ("", "")
        problems.append(Problem(pointer=f"/{name}{pointer}", detail=f"{name}{at}: {problem}"))
    return tuple(addresses)


def _sender(document: Mapping[str, object], problems: list[Problem]) -> Address | None:
    value = document.get("from")
    if value is None or value == "":
        problems.append(Problem(pointer="/from", detail="no from defined"))
    elif not isinstance(value, str):
        detail = f"from: must be a string, not {_kind(value)}"
        problems.append(Problem(pointer="/from", detail=detail))
    else:
        try:
            return (_known_from if len(value) <= _MAX_KNOWN else parse_address)(value)
        except ValueError as error:
            problems.append(Problem(pointer="/from", detail=f"from: {error}"))
    return None


def _unknown(name: str) -> Problem:
    known = f"unknown field; known are {', '.join(FIELDS)}"
    if _IDENTIFIER.fullmatch(name):
        return Problem(pointer=f"/{name}", detail=f"{name}: {known}")
    return Problem(pointer="", detail=f"a name that is no identifier: {known}")


def _first(problems: Sequence[Problem]) -> Sequence[Problem]:
    """Keep the answer to a hostile document short."""
    more = len(problems) - MAX_PROBLEMS
    if more <= 0:
        return problems
    return [*problems[:MAX_PROBLEMS], Problem(pointer="", detail=f"and {more} more problems")]


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case None:
            return "null"
        case _:
            return "a string"
