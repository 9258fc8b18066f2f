"""Times as every JSON document of limbo shows them."""

from datetime import UTC, datetime

from limbo.domain.mail.mail import YEAR_10000


def rfc3339(seconds: float) -> str:
    """Return the time, in seconds since the epoch, in UTC to the millisecond (RFC 3339)."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def rfc3339_or_none(seconds: float) -> str | None:
    """Return the time, or None if it is out of range: another program may have written it."""
    return rfc3339(seconds) if 0 <= seconds < YEAR_10000 else None
