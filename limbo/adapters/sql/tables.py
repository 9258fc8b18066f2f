"""The tables of a database, by the migrations that this limbo knows."""

from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from limbo.adapters.sql.database import Database
from limbo.adapters.sql.migrations import VERSION, Schema
from limbo.ports.tables import Opening, TablesStatus


class DatabaseKind(Protocol):
    """What opens the databases of one dialect by their URLs."""

    @property
    def connect(self) -> Callable[..., Database]:
        """Open a database: ``connect(url, opening=…)``."""
        ...

    @property
    def schema_of(self) -> Callable[[str], Schema]:
        """Return which tables are in the database of that URL."""
        ...


class SqlTables:
    """The Tables of the database with that URL."""

    def __init__(self, kind: DatabaseKind, url: str) -> None:
        self._kind = kind
        self._url = url

    def status(self) -> TablesStatus:
        """Read one row of one table."""
        found = self._kind.schema_of(self._url)
        return TablesStatus(
            version=found.version, known=VERSION, compatible_with=found.compatible_with
        )

    def migrate(self) -> None:
        """Open the database as a process that makes its tables does."""
        with closing(self._kind.connect(self._url, opening=Opening.MAKE)):
            pass
