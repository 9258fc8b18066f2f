"""A queue, a ledger and API keys in one SQL database, of any dialect."""

from collections.abc import Callable
from contextlib import closing

from dependency_injector import providers

from limbo.adapters.sql.api_keys import SqlApiKeys
from limbo.adapters.sql.database import Database
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.submission import SqlOutbox
from limbo.entrypoints.wiring.parts.base import Parts
from limbo.entrypoints.worker.gathered_ledger import GatheredLedger


class SqlParts(Parts):
    """Everything in one database; ``connect`` opens it by its URL."""

    connect: providers.Dependency[Callable[[str], Database]] = providers.Dependency()
    database = providers.Resource(closing, connect.provided.call(Parts.url))
    queue = providers.Singleton(SqlQueue, database, lease_seconds=Parts.settings.provided.lease)
    dead_letters = queue.provided.dead_letters
    reservations = providers.Singleton(SqlLedger, database)
    ledger = providers.Singleton(GatheredLedger, reservations)
    ledger_reader = reservations.provided.ledger_reader
    outbox = providers.Singleton(SqlOutbox, database)
    api_keys = providers.Singleton(SqlApiKeys, database)
