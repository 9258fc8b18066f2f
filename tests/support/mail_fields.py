"""A sample of each field of a mail, and a mail that has one field more than limbo knows."""

from dataclasses import dataclass
from typing import ClassVar

from limbo.domain.mail.field_set import MailFields
from limbo.domain.mail.fields import TABLE
from limbo.domain.mail.kinds import text
from limbo.domain.mail.mail import Mail
from limbo.domain.mail.text import body_problem

VALID = {"from": "a@b.example", "to": "d@e.example", "subject": "Hello", "message": "How are you?"}
# Two mails as clients of the first version posted them: with few fields, and with all that there
# were. What was made of them then must still be made of them.
FIRST_PLAIN = {"from": "a@b.c", "to": "d@e.f", "subject": "s", "message": "m"}
FIRST_FULL = {
    "from": '"Muster, Erna" <erna@a.example>',
    "to": ["Zoë <you@b.example>", "x@b.example"],
    "cc": "c@d.example",
    "bcc": ["e@f.example"],
    "subject": "Grüße 🎉",
    "message": "a\r\n\tb\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A value that ``VALID`` does not hold, and one that is refused, with the place of the problem.

    ``private`` is a word in the value that no log may repeat, ``sent`` what each provider is told.
    """

    value: object
    private: str
    sent: str
    invalid: object
    pointer: str


SAMPLES = {
    "subject": Sample(
        value="Top  Secret",
        private="Top  Secret",
        sent="Top  Secret",
        invalid="a\nb",
        pointer="/subject",
    ),
    "message": Sample(
        value="a\nNumber\t4711\n",
        private="Number\t4711",
        sent="Number\t4711",
        invalid="\0",
        pointer="/message",
    ),
    "to": Sample(
        value=["x@y.example", "Tobias To <t@y.example>"],
        private="Tobias To",
        sent="Tobias To <t@y.example>",
        invalid=["a@b.example", "a"],
        pointer="/to/1",
    ),
    "cc": Sample(
        value="Cecilia Cc <c@y.example>",
        private="Cecilia Cc",
        sent="Cecilia Cc <c@y.example>",
        invalid=[1],
        pointer="/cc/0",
    ),
    "bcc": Sample(
        value=["Bibi Bcc <b@y.example>"],
        private="Bibi Bcc",
        sent="b@y.example",
        invalid={},
        pointer="/bcc",
    ),
    "from": Sample(
        value="Erna Muster <e@y.example>",
        private="e%40y.example",
        sent="Erna Muster <e@y.example>",
        invalid=1,
        pointer="/from",
    ),
    "made_up": Sample(
        value="<p>\nNumber 0815</p>\n",
        private="Number 0815</p>",
        sent="Number 0815",
        invalid=[],
        pointer="/made_up",
    ),
}

NEWER = Mail.fields.version + 1
MADE_UP = text(
    "made_up",
    problem=body_problem,
    request={"description": "made up"},
    multiline=True,
    shown={"type": "string"},
    since=NEWER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RichMail(Mail):
    """A mail of a limbo to come: one entry in the table and one attribute more."""

    fields: ClassVar[MailFields] = MailFields((*TABLE, MADE_UP))

    made_up: str = ""


EVERY_FIELD = [
    *((Mail, name) for name in Mail.fields.names),
    *((RichMail, name) for name in RichMail.fields.names),
]


def changed(kind: type[Mail], name: str) -> Mail:
    """Return the valid mail with the sample in that field alone."""
    return parsed(kind, VALID | {name: SAMPLES[name].value})


def parsed(kind: type[Mail], document: dict[str, object]) -> Mail:
    """Return the mail of that document."""
    return kind.parse(document, id="m-1", submitted_at=1.5)
