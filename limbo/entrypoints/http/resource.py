"""A mail as clients see it."""

from datetime import UTC, datetime

from limbo.domain.mail import Mail

QUEUED = "queued"


def mail_resource(mail: Mail, status: str) -> dict[str, object]:
    """Return the fields that a client may rely on; a version to come may add some."""
    return {
        "id": mail.id,
        "status": status,
        "submitted_at": _rfc3339(mail.submitted_at),
        "from": str(mail.from_),
        "to": [str(address) for address in mail.to],
        "cc": [str(address) for address in mail.cc],
        "bcc": [str(address) for address in mail.bcc],
        "subject": mail.subject,
    }


def _rfc3339(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
