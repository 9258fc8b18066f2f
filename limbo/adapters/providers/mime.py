"""A mail as a message (RFC 5322, MIME) for SES and SMTP.

Headers are encoded here and written as they are. In many releases, Python's own folding splits
encoded words wrongly. Before 3.11.10 it turned text that looks like an encoded word into header
lines.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email import policy
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Self

from limbo.domain.mail.address import Address
from limbo.domain.mail.mail import Mail

_LINE = 76  # RFC 2047, section 2: the longest line with an encoded word
_LONGEST_WORD = 64  # fits a line even after the longest header name
# What Mailgun documents to replace: in batches, for mailing lists and for unsubscribing. It
# documents no way to write such a text itself. In the encodings of MIME it does not stand as it is.
_VARIABLE = re.compile(
    r"%(?:recipient|unsubscribe|tag_unsubscribe|mailing_list)[^%\r\n]*%", re.IGNORECASE
)
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # RFC 5322, section 3.2.3
# 7bit, because SES and old relays take nothing else. Other bodies become quoted-printable or
# base64.
_POLICY = policy.SMTP.clone(cte_type="7bit")


class _Line(str):
    """An encoded and folded header value. The email package writes it unchanged."""

    __slots__ = ("name",)
    name: str

    @classmethod
    def of(cls, name: str, value: str) -> Self:
        line = cls(value)
        line.name = name
        return line

    def fold(self, *, policy: policy.Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


def message(mail: Mail, *, source: Address | None = None) -> EmailMessage:
    """Build the message. Recipients of blind copies appear in none of its headers.

    With a ``source``, the message is from that address, and replies go to the mail's ``from``.
    """
    built = EmailMessage(policy=_POLICY)
    headers = {
        "From": _mailboxes("From", [source or mail.from_]),
        "To": _mailboxes("To", mail.to),
        "Cc": _mailboxes("Cc", mail.cc),
        "Reply-To": _mailboxes("Reply-To", [mail.from_] if source else []),
        "Subject": _text("Subject", mail.subject),
        "Date": format_datetime(datetime.fromtimestamp(mail.submitted_at, UTC)),
        "Message-ID": message_id(mail),
    }
    for name, value in headers.items():
        if value:
            built[name] = _Line.of(name, value)
    built.set_content(mail.message, cte="base64" if holds_variable(mail.message) else None)
    return built


def message_bytes(mail: Mail, *, source: Address | None = None) -> bytes:
    """Return the message as ASCII bytes. Its lines end in CRLF and have at most 998 characters."""
    return message(mail, source=source).as_bytes()


def holds_variable(text: str) -> bool:
    """Say whether the text holds what a provider may replace, such as ``%recipient%``."""
    return "%" in text and _VARIABLE.search(text) is not None


def message_id(mail: Mail) -> str:
    """Return the Message-ID. It is the same for each attempt at each provider."""
    return f"<{mail.id}@{mail.from_.email.rpartition('@')[2]}>"


def _mailboxes(header: str, addresses: Iterable[Address]) -> str:
    return ",\r\n ".join(_mailbox(header, address) for address in addresses)


def _mailbox(header: str, address: Address) -> str:
    if not address.name:
        return address.email
    name = _phrase(header, address.name)
    room = _LINE - len(name.rpartition("\r\n")[2]) - len(header) - 2
    gap = " " if len(address.email) + 3 <= room else "\r\n "
    return f"{name}{gap}<{address.email}>"


def _phrase(header: str, name: str) -> str:
    if not _is_plain(name, _LINE - len(header) - 4):
        return _encoded(header, name)
    if _ATOMS.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(header: str, text: str) -> str:
    if not _is_plain(text, 10 * _LINE):
        return _encoded(header, text)
    first, *words = text.split(" ")
    lines = [f"{header}: {first}"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) <= _LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return "\r\n".join(lines).removeprefix(f"{header}: ")


def _is_plain(text: str, limit: int) -> bool:
    """Tell whether the text can stand in a header unencoded, however the header is folded."""
    words = text.split(" ")
    return (
        len(text) <= limit
        and text.isascii()
        and "=?" not in text
        and not holds_variable(text)
        and all(words)
        and max(map(len, words)) <= _LONGEST_WORD
    )


def _encoded(header: str, text: str) -> str:
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")
