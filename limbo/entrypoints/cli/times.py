"""Times as a person reads them."""

from datetime import UTC, datetime


def local_time(seconds: float) -> str:
    """Return the time in this machine's zone, with its offset; ``?`` if it is out of range."""
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return "?"
