"""A queue and a ledger in memory, for ``limbo dev``."""

from dependency_injector import providers

from limbo.adapters.memory.audit_log import MemoryAuditLog
from limbo.adapters.memory.ledger import MemoryLedger
from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.outbox.ledger_first import LedgerFirstOutbox
from limbo.entrypoints.wiring.parts.base import Parts


class MemoryParts(Parts):
    """A queue and a ledger that exist only in this process."""

    ledger = providers.Singleton(MemoryLedger)
    queue = providers.Singleton(
        MemoryQueue,
        lease_seconds=Parts.settings.provided.lease,
        now=Parts.clock.provided.now,
        on_redrive=ledger.provided.redrive,
    )
    dead_letters = queue.provided.dead_letters
    reservations = ledger
    ledger_reader = ledger
    audit_log = providers.Singleton(MemoryAuditLog)
    outbox = providers.Singleton(LedgerFirstOutbox, queue, ledger)
