"""Everything in a PostgreSQL database; its driver is not always installed."""

from functools import partial

from limbo.domain.errors import SettingsError
from limbo.entrypoints.wiring.parts.sql import SqlParts

try:
    from limbo.adapters.sql.postgres import PostgresDatabase
except ImportError:
    raise SettingsError(
        "LIMBO_QUEUE and LIMBO_LEDGER must not be postgresql://… without psycopg:"
        " pip install 'psycopg[binary]'"
    ) from None

PostgresParts = partial(SqlParts, kind=PostgresDatabase)
