"""The fields of a mail, each described once, and what follows from the descriptions.

A new field is one entry of ``TABLE`` and one attribute of ``Mail``. Parsing, the document in a
queue, the fingerprint for an idempotency key, the mask of providers' answers, the schemas and the
version of a mail follow from them.
"""

from collections.abc import Mapping

from limbo.domain.errors import Problem
from limbo.domain.mail.address import Address
from limbo.domain.mail.field import Bound, Entry, JsonSchema, Problems, Rule
from limbo.domain.mail.kinds import MAX_ENTRIES, address, addresses, text
from limbo.domain.mail.text import body_problem, header_line_problem

MAX_RECIPIENTS = 50  # SES refuses more in one message.
MAX_SUBJECT = 998  # RFC 5322, section 2.1.1
_RECIPIENTS = ("to", "cc", "bcc")

Addresses = tuple[Address, ...]
ADDRESS: JsonSchema = {
    "type": "string",
    "format": "mailbox",
    "description": "One address, alone or with a name (RFC 5322, section 3.4).",
    "examples": ["bob@example.org", "Bob <bob@example.org>"],
}
_COPIES: JsonSchema = {
    "anyOf": [
        ADDRESS,
        {"type": "array", "items": ADDRESS},
        {"const": "", "description": "The same as none."},
        {"type": "null"},
    ]
}
_STRING: JsonSchema = {"type": "string"}
_STRINGS: JsonSchema = {"type": "array", "items": _STRING}


def _subject_problem(subject: str) -> str | None:
    return header_line_problem(subject, MAX_SUBJECT)


def _are_few(document: Mapping[str, object], problems: Problems) -> bool:
    """Count the recipients before one of them is parsed, which may take a millisecond each.

    Repeats count once, whatever their names. A list that is too long by itself is not counted: it
    is refused as such.
    """
    count = 0
    for name in _RECIPIENTS:
        if name in document and isinstance(value := document[name], list):
            count += len(value)
    if count <= MAX_RECIPIENTS:
        return True
    lists = [value for name in _RECIPIENTS if isinstance(value := document.get(name), list)]
    texts = (item for value in lists if len(value) <= MAX_ENTRIES for item in value)
    count = len({_written(text) for text in texts if isinstance(text, str)})
    if count <= MAX_RECIPIENTS:
        return True
    detail = f"to, cc, bcc: {count} receivers; at most {MAX_RECIPIENTS} are allowed"
    problems.append(Problem(pointer="/to", detail=detail))
    return False


def _written(text: str) -> str:
    """Return the address as it is written: without a name, its domain in lower case."""
    local, at, domain = text.rpartition("<")[2].strip(" \t>").rpartition("@")
    return f"{local}{at}{domain.lower()}"


def _once(
    to: Addresses, cc: Addresses, bcc: Addresses, _: Problems
) -> tuple[Addresses, Addresses, Addresses]:
    """Remove repeated recipients: the first field that names a recipient keeps it."""
    if cc or bcc:
        seen = {each.email for each in to}
        cc = tuple(each for each in cc if each.email not in seen)
        seen.update(each.email for each in cc)
        bcc = tuple(each for each in bcc if each.email not in seen)
    return to, cc, bcc


TABLE: tuple[Entry, ...] = (  # in the order in which problems are listed
    text(
        "subject",
        problem=_subject_problem,
        request={
            "minLength": 1,
            "maxLength": MAX_SUBJECT,
            "pattern": (
                "^[^\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e"
                "\\u2066-\\u2069\\ufffe\\uffff]*$"
            ),
            "description": (
                "One line, without characters that control it or its direction, and without encoded"
                " words (RFC 2047)."
            ),
            "examples": ["Your order"],
        },
        shown=_STRING,
        required=True,
        place=5,
    ),
    text(
        "message",
        problem=body_problem,
        request={
            "minLength": 1,
            "pattern": (
                "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\ufffe\\uffff]*$"
            ),
            "description": "The text, with line feeds, tabs and no other control characters.",
            "examples": ["It is on its way.\n"],
        },
        shown=None,
        required=True,
        multiline=True,
        place=6,
    ),
    Bound(names=_RECIPIENTS, allows=_are_few),
    addresses(
        "to",
        request={"anyOf": [ADDRESS, {"type": "array", "items": ADDRESS, "minItems": 1}]},
        shown=_STRINGS,
        missing="no receivers defined",
        place=2,
    ),
    addresses("cc", request=_COPIES, shown=_STRINGS, place=3),
    addresses("bcc", request=_COPIES, shown=_STRINGS, place=4),
    Rule(attributes=_RECIPIENTS, judge=_once),
    address("from", request=ADDRESS, shown=_STRING, place=1),
)
