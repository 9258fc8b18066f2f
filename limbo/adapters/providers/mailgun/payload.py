"""A mail as Mailgun takes it: as a form, or as a message that it has nothing to replace in."""

from limbo.adapters.providers.mime import message_bytes, message_id
from limbo.adapters.providers.response import Part
from limbo.domain.mail.mail import Mail


def form_fields(mail: Mail) -> list[tuple[str, str]]:
    """Return the form of /messages, from which Mailgun makes the message."""
    return [
        ("from", str(mail.from_)),
        *(("to", str(address)) for address in mail.to),
        *(("cc", str(address)) for address in mail.cc),
        *(("bcc", str(address)) for address in mail.bcc),
        ("subject", mail.subject),
        ("text", mail.message),
        ("h:Message-Id", message_id(mail)),
        ("v:limbo_id", mail.id),
    ]


def mime_fields(mail: Mail) -> list[tuple[str, Part]]:
    """Return the form of /messages.mime. Its ``to`` is the envelope: also Cc and Bcc."""
    return [
        *(("to", address.email) for address in mail.recipients),
        ("v:limbo_id", mail.id),
        ("message", ("message.mime", message_bytes(mail), "message/rfc822")),
    ]
