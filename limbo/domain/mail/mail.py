"""A mail. Every Mail that exists is valid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from limbo.domain.mail.address import Address
from limbo.domain.mail.field_set import MailFields
from limbo.domain.mail.fields import TABLE

YEAR_10000 = 253402300800  # in seconds since the epoch: RFC 3339 cannot write a later time


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail as limbo keeps and sends it. Only ``parse`` builds one; ``fields`` describes it.

    ``submitted_at`` is in seconds since the epoch. ``version`` is the lowest version of a mail that
    has everything this one uses. ``extra`` holds what only a newer limbo knows.
    """

    fields: ClassVar[MailFields] = MailFields(TABLE)

    id: str
    submitted_at: float
    from_: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    subject: str
    message: str
    version: int = 1
    extra: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, object], *, id: str, submitted_at: float) -> Self:  # noqa: A002
        """Build a mail from a JSON object whose names are those of ``fields``.

        Raises InvalidMail with all problems.
        """
        mail: Self = cls.fields.parse(cls, document, id, submitted_at)
        return mail

    @property
    def recipients(self) -> tuple[Address, ...]:
        """All addresses that get the mail."""
        return (*self.to, *self.cc, *self.bcc)

    def is_of(self, address: str) -> bool:
        """Tell whether the mail is from or to this address, in its ASCII form and any case."""
        wanted = address.lower()
        return any(wanted == each.email.lower() for each in (self.from_, *self.recipients))

    @property
    def is_supported(self) -> bool:
        """False if the mail uses what only a newer limbo knows. Sending it might leave that out."""
        return self.version <= self.fields.version


parse_mail = Mail.parse
FIELDS = Mail.fields.names
