"""Formats rows as columns that fit a terminal, without characters that control it."""

from collections.abc import Iterator, Sequence

_GAP = "  "
_LEAST = 24


def table(rows: Sequence[Sequence[str]], width: int | None, *, cut: int = -1) -> Iterator[str]:
    """Yield a line for each row; the column ``cut`` is shortened so that the lines fit the width.

    It keeps 24 characters, even if the other columns leave less room.
    """
    shown = [[printable(cell) or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    if widths and width is not None:
        others = sum(widths) - widths[cut] + len(_GAP) * (len(widths) - 1)
        widths[cut] = min(widths[cut], max(width - others, _LEAST))
    for row in shown:
        cells = (f"{_cut(cell, size):{size}}" for cell, size in zip(row, widths, strict=True))
        yield _GAP.join(cells).rstrip()


def printable(text: str) -> str:
    """Return any text as one line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"
