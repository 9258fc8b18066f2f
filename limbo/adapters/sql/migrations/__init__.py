"""How a database gets its tables: one frozen file for each version of them.

A file's name is ``m`` and the version it leads to. It holds the complete statements for SQLITE and
POSTGRESQL. A released file is never changed: a new file follows it.
"""

import pkgutil
from importlib import import_module

from limbo.adapters.sql.database import Database, Dialect, Executor
from limbo.domain.errors import SettingsError

_LOCK = 0x6C696D626F  # "limbo": the number of a PostgreSQL advisory lock that only limbo uses
_FILES = tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))
VERSION = len(_FILES)


def migrate(database: Database, version: int = VERSION) -> None:
    """Bring the tables to this version. Other processes may do the same at the same time.

    Raises SettingsError if a newer limbo made the tables, DatabaseUnavailable if the database
    fails.
    """
    if _version(database, database.dialect) == version:
        return
    with database.transaction() as transaction:
        if database.dialect is Dialect.POSTGRESQL:
            transaction.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        found = _version(transaction, database.dialect)
        if found > version:
            msg = (
                f"the database's tables are of version {found}, made by a newer limbo; "
                f"this one knows up to {version}"
            )
            raise SettingsError(msg)
        for number in range(found + 1, version + 1):
            _apply(transaction, database.dialect, number)


def _version(executor: Executor, dialect: Dialect) -> int:
    """Return the version of the tables, or 0 if there are none."""
    match dialect:
        case Dialect.SQLITE:
            known = "SELECT 1 FROM sqlite_master WHERE name = 'limbo_schema'"
        case Dialect.POSTGRESQL:
            # Do not use to_regclass(): it may have cached that the table does not exist.
            known = (
                "SELECT 1 FROM pg_class WHERE relname = 'limbo_schema' AND pg_table_is_visible(oid)"
            )
    if not executor.execute(known):
        return 0
    [[version]] = executor.execute("SELECT max(version) FROM limbo_schema")
    return int(version)


def _apply(executor: Executor, dialect: Dialect, version: int) -> None:
    migration = import_module(f"{__name__}.{_FILES[version - 1]}")
    for statement in getattr(migration, dialect.name):
        executor.execute(statement)
    executor.execute("INSERT INTO limbo_schema (version) VALUES (:version)", {"version": version})
