"""The port to the tables of a database, and how a process opens one."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


class Opening(Enum):
    """What a process may do to a database when it opens it."""

    MAKE = auto()
    """Make it, or bring its tables to the version that this limbo knows."""
    USE = auto()
    """Use its tables as they are. Without them, or with older ones, it is not opened."""
    READ = auto()
    """The same, and change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablesStatus:
    """The version of the tables, 0 without any, and the one that this limbo knows.

    ``compatible_with`` is the oldest version whose processes may use them.
    """

    version: int
    known: int
    compatible_with: int


class Tables(Protocol):
    """The tables of one database. Both methods raise StoreUnavailable, or SettingsError."""

    def status(self) -> TablesStatus:
        """Return which tables are there, without making or changing anything."""
        ...

    def migrate(self) -> None:
        """Bring the tables to the version that this limbo knows, unless they are newer."""
        ...
