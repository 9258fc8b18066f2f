"""Everything in a SQLite file."""

from functools import partial

from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.entrypoints.wiring.parts.sql import SqlParts

SqliteParts = partial(SqlParts, kind=SqliteDatabase)
