"""A mail address with its name, and the rules for both."""

import re
from dataclasses import dataclass

import email_validator

from limbo.domain.mail.text import header_line_problem

MAX_NAME = 998  # RFC 5322, section 2.1.1
MAX_EMAIL = 254  # RFC 3696, erratum 1690

# A company's own relay may know `.test`, `.local` or `.internal`, so limbo allows them.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

_NAMED = re.compile(r'(?:"((?:[^"\\]|\\.)*)"[ \t]*|([^"<>@,;:\\\[\]]*))<([^<>]*)>')
_ESCAPE = re.compile(r"\\(.)")
_NEEDS_QUOTES = re.compile(r'["<>@,;:\\\[\]().]|^\s|\s$')
# What email-validator would return unchanged. All other addresses go through email-validator.
_PLAIN = re.compile(
    r"(?=.{1,64}@)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*"
    r"@(?=.{1,189}\Z)(?:[a-z0-9](?:[a-z0-9]|-(?!-)){0,48}(?<!-)\.)+[a-z]{1,48}\Z"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox (RFC 5322, section 3.4): an address in its ASCII form, and an optional name."""

    email: str
    name: str = ""

    def __str__(self) -> str:
        """Return the text that ``parse_address`` reads back as an equal Address."""
        if not self.name:
            return self.email
        if not _NEEDS_QUOTES.search(self.name):
            return f"{self.name} <{self.email}>"
        escaped = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{self.email}>'


def parse_address(text: str) -> Address:
    """Read ``a@b.c`` or ``Name <a@b.c>``. The domain becomes lower-case ASCII (IDNA 2008).

    Raises ValueError. Its text says what is wrong, and does not repeat the address.
    """
    text = text.strip(" \t")
    if _PLAIN.match(text):
        return Address(text)
    named = _NAMED.fullmatch(text)
    quoted, bare, email = named.groups() if named else (None, "", text)
    name = _ESCAPE.sub(r"\1", quoted) if quoted is not None else bare.rstrip(" \t")
    if problem := header_line_problem(name, MAX_NAME):
        msg = f"the name {problem}"
        raise ValueError(msg)
    if named is None and "<" in text:
        msg = 'not of the form Name <a@b.c>; put a name that holds any of , ; : @ < > in "quotes"'
        raise ValueError(msg)
    if email.count("@") > 1 and not email.startswith('"'):
        msg = "more than one address; give each its own place in the list"
        raise ValueError(msg)
    return Address(_valid_email(email), " ".join(name.split()))


def _valid_email(email: str) -> str:
    if _PLAIN.match(email):
        return email
    if len(email) > MAX_EMAIL:
        msg = f"the address has {len(email)} characters; at most {MAX_EMAIL} are allowed"
        raise ValueError(msg)
    if "=?" in email:  # RFC 5322 allows it; some read it as an encoded word
        msg = "the address holds =?, which may not be told from an encoded word"
        raise ValueError(msg)
    try:
        checked = email_validator.validate_email(
            email, check_deliverability=False, strict=True, allow_smtputf8=False
        )
    except email_validator.EmailNotValidError as error:
        # The text after a colon or a bracket quotes the address.
        raise ValueError(re.split(r"[:(]", str(error), maxsplit=1)[0].rstrip(" .")) from None
    if checked.ascii_email is None:  # never None with allow_smtputf8=False
        msg = "no ASCII form of the address exists"
        raise ValueError(msg)
    return checked.ascii_email
