"""How a database comes to have its tables: one frozen file for each version of them.

A file is named ``m`` and the version that it leads to. It holds what SQLITE and POSTGRESQL are
told, in full and for good: what is once released is never changed, but followed by another file.
"""

import pkgutil
from importlib import import_module

from limbo.adapters.sql.database import Database, Dialect, Executor
from limbo.domain.errors import SettingsError

_LOCK = 0x6C696D626F  # "limbo": an advisory lock of PostgreSQL, which this number alone names
_FILES = tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))
VERSION = len(_FILES)


def migrate(database: Database, version: int = VERSION) -> None:
    """Bring the tables up to this version, also while other processes try the same.

    Raises SettingsError when a newer limbo has been here, DatabaseUnavailable when it cannot be
    done.
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
    """Return the version of the tables, 0 when there are none."""
    match dialect:
        case Dialect.SQLITE:
            known = "SELECT 1 FROM sqlite_master WHERE name = 'limbo_schema'"
        case Dialect.POSTGRESQL:
            # Not to_regclass(): it may still remember that the table was not there.
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
