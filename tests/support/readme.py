"""Writes the README's table of settings from the settings themselves.

python -m tests.support.readme
"""

from collections.abc import Sequence
from pathlib import Path

from limbo.entrypoints.settings.catalogue import every_variable, readme_row
from limbo.entrypoints.wiring.backends import BACKENDS
from limbo.entrypoints.wiring.senders import SENDER_KINDS
from limbo.ports.sender_kind import SenderKind

README = Path(__file__).parents[2] / "README.md"
_ROW = "| `LIMBO_"


def settings_rows(kinds: Sequence[SenderKind] = SENDER_KINDS) -> list[str]:
    """Return the rows as the settings have them."""
    return [readme_row(variable) for variable in every_variable(BACKENDS, kinds)]


def shown_rows(text: str) -> list[str]:
    """Return the rows as the README has them."""
    return [line for line in text.splitlines() if line.startswith(_ROW)]


def with_rows(text: str, rows: list[str]) -> str:
    """Return the README with other rows in the place of its own."""
    lines = text.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(_ROW))
    lines[first : first + len(shown_rows(text))] = rows
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    README.write_text(with_rows(README.read_text(), settings_rows()))
