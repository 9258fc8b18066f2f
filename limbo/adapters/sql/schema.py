"""The tables of the SQL adapters, and how a database comes to have them."""

from collections.abc import Mapping, Sequence

from limbo.adapters.sql.database import Database, Dialect, Executor
from limbo.adapters.sql.ledger_schema import LEDGER, LEDGER_ON_POSTGRESQL, SUBMISSIONS_ON_SQLITE
from limbo.domain.errors import SettingsError

_LOCK = 0x6C696D626F  # "limbo": an advisory lock of PostgreSQL, which this number alone names

# A mail is free when it has no receipt, else leased; either way it may be taken once it is due.
# The index on ``due`` holds what a depth is counted from, so that counting reads no bodies.
_QUEUE = """
    CREATE TABLE limbo_queue (
        id {key} PRIMARY KEY,
        body {bytes} NOT NULL,
        submitted_at double precision NOT NULL,
        due double precision NOT NULL,
        receipt text,
        touches integer NOT NULL DEFAULT 0,
        possible_duplicate boolean NOT NULL DEFAULT FALSE
    )
"""
_DEAD_LETTERS = """
    CREATE TABLE limbo_dead_letters (
        id {key} PRIMARY KEY,
        mail_id {key} NOT NULL,
        body {bytes} NOT NULL,
        submitted_at double precision NOT NULL,
        kind text NOT NULL,
        sender text NOT NULL,
        reason text NOT NULL,
        attempts {bytes} NOT NULL,
        buried_at double precision NOT NULL,
        possible_duplicate boolean NOT NULL
    )
"""
_API_KEYS = """
    CREATE TABLE limbo_api_keys (
        id {key} PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        scopes text NOT NULL,
        senders text NOT NULL,
        rate text,
        created_at double precision NOT NULL,
        revoked_at double precision
    )
"""
# Every mail leaves at least two dead rows: left to the defaults, a vacuum would come only after
# a fifth of the table has died, and each claim would step over all of that.
_VACUUM = """
    ALTER TABLE limbo_queue SET (
        autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_scale_factor = 0.05,
        autovacuum_analyze_scale_factor = 0.05
    )
"""
_TYPES = {
    Dialect.SQLITE: {"key": "text", "bytes": "blob", "clustered": "WITHOUT ROWID", "late": "id"},
    Dialect.POSTGRESQL: {
        "key": 'text COLLATE "C"',
        "bytes": "bytea",
        "clustered": "",
        "late": "(id || '')",
    },
}
_MIGRATIONS: Sequence[Sequence[str]] = (
    (
        _QUEUE,
        "CREATE INDEX limbo_queue_due ON limbo_queue (due, receipt, submitted_at)",
        _DEAD_LETTERS,
        "CREATE INDEX limbo_dead_letters_cause ON limbo_dead_letters (kind, sender, reason, id)",
        "CREATE INDEX limbo_dead_letters_mail ON limbo_dead_letters (mail_id)",
    ),
    LEDGER,
    (_API_KEYS,),
    (),
)
_FOR_DIALECT: Mapping[Dialect, Mapping[int, Sequence[str]]] = {
    Dialect.SQLITE: {4: SUBMISSIONS_ON_SQLITE},
    Dialect.POSTGRESQL: {1: (_VACUUM,), 2: LEDGER_ON_POSTGRESQL},
}
VERSION = len(_MIGRATIONS)


def migrate(database: Database) -> None:
    """Bring the tables to this version of limbo, whoever else may be at it just now.

    Raises SettingsError when a newer limbo has been here, DatabaseUnavailable when it cannot
    be done.
    """
    if _version(database, database.dialect) == VERSION:
        return
    with database.transaction() as transaction:
        if database.dialect is Dialect.POSTGRESQL:
            transaction.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        found = _version(transaction, database.dialect)
        if found > VERSION:
            msg = (
                f"the database's tables are of version {found}, made by a newer limbo; "
                f"this one knows up to {VERSION}"
            )
            raise SettingsError(msg)
        for version in range(found + 1, VERSION + 1):
            _apply(transaction, database.dialect, version)


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
    if version == 1:
        executor.execute("CREATE TABLE limbo_schema (version integer NOT NULL)")
    for statement in _MIGRATIONS[version - 1]:
        executor.execute(statement.format(**_TYPES[dialect]))
    for statement in _FOR_DIALECT[dialect].get(version, ()):
        executor.execute(statement)
    executor.execute("INSERT INTO limbo_schema (version) VALUES (:version)", {"version": version})
