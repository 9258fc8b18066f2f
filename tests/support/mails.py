"""Mails for tests."""

import time
from collections.abc import Sequence

from limbo.domain.mail.address import Address, parse_address
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import Mail

Addresses = str | Address | Sequence[str | Address]


def a_mail(*, at: float | None = None, **changes: object) -> Mail:
    """Return a valid mail of its own id, submitted now or ``at``.

    ``changes`` are fields of Mail; addresses may be text, and one where there may be several.
    """
    at = time.time() if at is None else at
    fields: dict[str, object] = {
        "id": mail_id(at),
        "submitted_at": at,
        "from_": "shop@example.org",
        "to": "a@example.com",
        "cc": (),
        "bcc": (),
        "subject": "Hello",
        "message": "How are you?",
        **changes,
    }
    (fields["from_"],) = _addresses(fields["from_"])
    for name in ("to", "cc", "bcc"):
        fields[name] = _addresses(fields[name])
    return Mail(**fields)  # type: ignore[arg-type]  # mypy knows no names of changes


def a_full_mail(**changes: object) -> Mail:
    """Return a mail that holds something of everything."""
    full = {
        "from_": "Ann <ann@sender.example>",
        "to": ["Bob Ödön <bob@one.example>", "second@two.example"],
        "cc": "carol@three.example",
        "bcc": ["dave@four.example"],
        "subject": "Grüße",
        "message": "Hello Wörld\n.\n",
    }
    return a_mail(**full | changes)


def _addresses(value: object) -> tuple[Address, ...]:
    if isinstance(value, Address):
        return (value,)
    if isinstance(value, str):
        return (parse_address(value),)
    return tuple(_addresses(one)[0] for one in value)  # type: ignore[attr-defined]  # a sequence
