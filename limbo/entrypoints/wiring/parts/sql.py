"""A queue, a ledger and API keys in one SQL database, of any dialect."""

from contextlib import closing

from dependency_injector import providers

from limbo.adapters.sql.api_keys import SqlApiKeys
from limbo.adapters.sql.audit_log import SqlAuditLog
from limbo.adapters.sql.erasure import SqlErasure
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.own_secrets import SqlSecrets
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.stored_bodies import SqlStoredBodies
from limbo.adapters.sql.submission import SqlOutbox
from limbo.adapters.sql.tables import DatabaseKind, SqlTables
from limbo.entrypoints.wiring.parts.base import Parts
from limbo.entrypoints.worker.gathered_ledger import GatheredLedger


class SqlParts(Parts):
    """Everything in one database of that kind."""

    kind: providers.Dependency[DatabaseKind] = providers.Dependency()
    tables = providers.Singleton(SqlTables, kind, Parts.url)
    database = providers.Resource(
        closing, kind.provided.connect.call(Parts.url, opening=Parts.opening)
    )
    queue = providers.Singleton(
        SqlQueue, database, lease_seconds=Parts.settings.provided.lease, codec=Parts.codec
    )
    dead_letters = queue.provided.dead_letters
    reservations = providers.Singleton(SqlLedger, database, codec=Parts.codec)
    ledger = providers.Singleton(GatheredLedger, reservations)
    ledger_reader = reservations.provided.ledger_reader
    stored_bodies = providers.Singleton(SqlStoredBodies, database)
    erasure = providers.Singleton(SqlErasure, database)
    outbox = providers.Singleton(SqlOutbox, database, codec=Parts.codec)
    api_keys = providers.Singleton(SqlApiKeys, database)
    secrets = providers.Singleton(SqlSecrets, database)
    audit_log = providers.Singleton(SqlAuditLog, database)
