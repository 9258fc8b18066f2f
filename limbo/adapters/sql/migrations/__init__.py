"""How a database gets its tables: one frozen file for each version of them.

A file's name is ``m`` and the version it leads to. It holds the complete statements for SQLITE and
POSTGRESQL, and says in COMPATIBLE_WITH which is the oldest version whose processes go on working
beside it. A released file is never changed: a new file follows it.
"""

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from limbo.adapters.sql.database import Database, Dialect, Executor
from limbo.domain.errors import SettingsError

_LOCK = 0x6C696D626F  # "limbo": the number of a PostgreSQL advisory lock that only limbo uses
_HINT = "run `limbo migrate`"
# What a statement copies from a table must be all there is until its trigger stands. And whoever
# writes uses several tables, in one order or another: a migration that took them one by one would
# deadlock with it. This one takes all of them or none, and gives up before PostgreSQL looks for
# deadlocks (deadlock_timeout, 1 s), so that the others go on first.
_TAKE_TABLES = """
    DO $$
    DECLARE
        all_tables text := (
            SELECT string_agg(quote_ident(relname), ', ' ORDER BY relname) FROM pg_class
            WHERE relkind = 'r' AND left(relname, 6) = 'limbo_' AND pg_table_is_visible(oid)
        );
        usual text := current_setting('lock_timeout');
    BEGIN
        FOR tries_left IN REVERSE 20 .. 1 LOOP
            EXIT WHEN all_tables IS NULL;
            BEGIN
                PERFORM set_config('lock_timeout', '500ms', true);
                EXECUTE 'LOCK TABLE ' || all_tables;
                EXIT;
            EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                IF tries_left = 1 THEN
                    RAISE;
                END IF;
                PERFORM pg_sleep(0.05);
            END;
        END LOOP;
        PERFORM set_config('lock_timeout', usual, true);
    END
    $$
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The statements that lead from the version before to this one.

    ``compatible_with`` is the oldest version whose processes go on working beside it. The first
    four did not say so.
    """

    version: int
    statements: Mapping[Dialect, Sequence[str]]
    compatible_with: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The version of a database's tables, 0 without any, and the oldest one that may use them."""

    version: int
    compatible_with: int


def _read(name: str) -> Migration:
    module = import_module(f"{__name__}.{name}")
    return Migration(
        version=int(name[1:5]),
        statements={dialect: getattr(module, dialect.name) for dialect in Dialect},
        compatible_with=getattr(module, "COMPATIBLE_WITH", None),
    )


MIGRATIONS = tuple(_read(found) for found in sorted(x.name for x in pkgutil.iter_modules(__path__)))
VERSION = len(MIGRATIONS)


def migrate(
    database: Database,
    version: int | None = None,
    *,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Bring the tables to this version. Other processes may do the same at the same time.

    ``migrations`` are those that this process knows. Newer tables are left as they are. Raises
    SettingsError if they say that this process may not use them, DatabaseUnavailable if the
    database fails.
    """
    version = len(migrations) if version is None else version
    if _is_usable(schema(database, database.dialect), version):
        return
    with database.transaction() as transaction:
        if database.dialect is Dialect.POSTGRESQL:
            # Whatever the server's default: each statement must see what came before the lock.
            transaction.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            transaction.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        found = schema(transaction, database.dialect)
        if not _is_usable(found, version):
            if database.dialect is Dialect.POSTGRESQL:
                transaction.execute(_TAKE_TABLES)
            for migration in migrations[found.version : version]:
                _apply(transaction, database.dialect, migration)


def is_current(found: Schema) -> bool:
    """Tell whether ``migrate`` has nothing to do. Raises SettingsError as it does."""
    return _is_usable(found, VERSION)


def need_tables(database: Database, *, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raise SettingsError unless the tables are there, and this process may use them."""
    found, needed = schema(database, database.dialect), len(migrations)
    if not found.version:
        raise SettingsError(f"the database has no tables yet: {_HINT}")
    if not _is_usable(found, needed):
        raise SettingsError(
            f"the database's tables are of version {found.version}; this limbo needs {needed}:"
            f" {_HINT}"
        )


def schema(executor: Executor, dialect: Dialect) -> Schema:
    """Return which tables are there."""
    match dialect:
        case Dialect.SQLITE:
            known = "SELECT 1 FROM sqlite_master WHERE name = 'limbo_schema'"
            columns = "SELECT 1 FROM pragma_table_info('limbo_schema') WHERE name = :name"
        case Dialect.POSTGRESQL:
            # Do not use to_regclass(): it may have cached that the table does not exist.
            known = (
                "SELECT 1 FROM pg_class WHERE relname = 'limbo_schema' AND pg_table_is_visible(oid)"
            )
            columns = """
                SELECT 1 FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
                WHERE relname = 'limbo_schema' AND pg_table_is_visible(pg_class.oid)
                    AND attname = :name
            """
    if not executor.execute(known):
        return Schema(version=0, compatible_with=0)
    says = executor.execute(columns, {"name": "compatible_with"})
    oldest = "max(coalesce(compatible_with, version))" if says else "max(version)"
    [[version, compatible_with]] = executor.execute(
        f"SELECT max(version), {oldest} FROM limbo_schema"
    )
    if not isinstance(version, int) or not isinstance(compatible_with, int):
        raise SettingsError("the database's table limbo_schema tells no version")
    return Schema(version=version, compatible_with=compatible_with)


def _is_usable(found: Schema, version: int) -> bool:
    """Tell whether a process of that version can use the tables as they are.

    Raises SettingsError if they are too new for it.
    """
    if version < found.compatible_with:
        raise SettingsError(
            f"the database's tables are of version {found.version}, made by a newer limbo;"
            f" this one knows up to {version}"
        )
    return version <= found.version


def _apply(executor: Executor, dialect: Dialect, migration: Migration) -> None:
    for statement in migration.statements[dialect]:
        executor.execute(statement)
    row: dict[str, object] = {"version": migration.version}
    if migration.compatible_with is not None:
        row["compatible_with"] = migration.compatible_with
    names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    executor.execute(f"INSERT INTO limbo_schema ({names}) VALUES ({values})", row)
