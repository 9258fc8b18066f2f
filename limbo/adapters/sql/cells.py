"""Reads single values of rows that anybody may have written.

SQLite keeps any type in any column, and any bytes in a text.
"""

import math

from limbo.domain.mail.mail import YEAR_10000


def text(cell: object) -> str:
    """Return the cell as text. What is not UTF-8 in it is replaced."""
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)


def number(cell: object) -> float:
    """Return the cell as a number, or 0 if it is none."""
    return cell if isinstance(cell, int | float) and math.isfinite(cell) else 0.0


def moment(cell: object) -> float:
    """Return the cell as a time that a calendar has, in seconds since the epoch, or 0."""
    seconds = number(cell)
    return seconds if 0 <= seconds < YEAR_10000 else 0.0


def moment_or_none(cell: object) -> float | None:
    """Return the cell as such a time, or None if it is empty."""
    return None if cell is None else moment(cell)


def number_or_none(cell: object) -> float | None:
    """Return the cell as a number, or None if it is empty."""
    return None if cell is None else number(cell)
