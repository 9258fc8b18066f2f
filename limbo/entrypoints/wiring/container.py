"""The composition root: all parts of a process, each built when it is first asked for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dependency_injector import containers, providers

from limbo.adapters.files.api_keys import FileApiKeys
from limbo.adapters.memory.no_ledger import NoLedger
from limbo.adapters.outbox.all_ready import AllReady
from limbo.adapters.outbox.ledger_first import LedgerFirstOutbox
from limbo.adapters.outbox.queue_only import QueueOutbox
from limbo.domain.delivery.breaker import BreakerPolicy
from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.retry import RetryPolicy
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.process.clock_watch import ClockWatch
from limbo.entrypoints.settings.settings import load
from limbo.entrypoints.telemetry.address_hash import AddressHash
from limbo.entrypoints.telemetry.audit import Audit
from limbo.entrypoints.telemetry.logs import configure_unset_logging
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.entrypoints.wiring.backends import BACKENDS
from limbo.entrypoints.wiring.codec import mail_codec
from limbo.entrypoints.wiring.parts.base import open_parts
from limbo.entrypoints.wiring.senders import SENDER_KINDS, open_senders
from limbo.entrypoints.worker.janitor import Janitor
from limbo.entrypoints.worker.report import WorkerReport
from limbo.entrypoints.worker.worker import Worker
from limbo.ports.tables import Opening

_PROBE_SHARE = 1 / 8  # of the mails received while every provider is down
_ADDRESS_HASHES = "address hashes"  # its name in the database


class Container(containers.DeclarativeContainer):
    """The parts of a process, named by their ports; ``override`` replaces a part.

    ``ledger_place`` says where the ledger is: in the backend of the queue (``shared``), in another
    one (``apart``), or nowhere (``none``).
    """

    environ: providers.Dependency[Mapping[str, str]] = providers.Dependency()
    defaults: providers.Object[Mapping[str, str]] = providers.Object({})
    backends = providers.Object(BACKENDS)
    sender_kinds = providers.Object(SENDER_KINDS)
    settings = providers.Singleton(load, environ, backends, sender_kinds, defaults)
    clock = providers.Singleton(Clock)
    opening: providers.Object[Opening] = providers.Object(Opening.MAKE)
    clock_watch = providers.Singleton(ClockWatch, clock)
    metrics = providers.Singleton(Metrics)
    codec = providers.Singleton(mail_codec, settings.provided.body_keys)

    queue_backend = settings.provided.queue_backend
    queue_parts = providers.Resource(
        open_parts,
        queue_backend.parts,
        settings.provided.queue,
        settings,
        clock,
        opening,
        codec=codec,
    )
    queue = queue_parts.provided.queue.call()
    dead_letters = queue_parts.provided.dead_letters.call()

    ledger_parts = providers.Selector(
        settings.provided.ledger_place,
        shared=queue_parts,
        apart=providers.Resource(
            open_parts,
            settings.provided.ledger_backend.parts,
            settings.provided.ledger,
            settings,
            clock,
            opening,
            codec=codec,
        ),
    )
    kept_ledger = ledger_parts.provided.ledger.call()
    ledger = providers.Selector(
        settings.provided.ledger_place,
        none=providers.Singleton(NoLedger),
        shared=kept_ledger,
        apart=kept_ledger,
    )
    kept_reader = ledger_parts.provided.ledger_reader.call()
    ledger_reader = providers.Selector(
        settings.provided.ledger_place,
        none=providers.Object(None),
        shared=kept_reader,
        apart=kept_reader,
    )
    reservations = ledger_parts.provided.reservations.call()
    stored_bodies = queue_parts.provided.stored_bodies.call()
    stored_bodies_of_ledger = ledger_parts.provided.stored_bodies.call()
    kept_erasure = ledger_parts.provided.erasure.call()
    erasure = providers.Selector(
        settings.provided.ledger_place,
        none=providers.Object(None),
        shared=kept_erasure,
        apart=kept_erasure,
    )
    kept_audit_log = ledger_parts.provided.audit_log.call()
    audit_log = providers.Selector(
        settings.provided.ledger_place,
        none=providers.Object(None),
        shared=kept_audit_log,
        apart=kept_audit_log,
    )
    audit = providers.Singleton(Audit, audit_log, clock.provided.now)
    outbox = providers.Selector(
        settings.provided.ledger_place,
        none=providers.Singleton(QueueOutbox, queue),
        shared=queue_parts.provided.outbox.call(),
        apart=providers.Singleton(LedgerFirstOutbox, queue, reservations),
    )
    readiness = providers.Selector(
        settings.provided.ledger_place,
        none=queue,
        shared=queue,
        apart=providers.Singleton(AllReady, queue, reservations),
    )
    gather_limits = providers.Selector(
        settings.provided.ledger_place,
        none=queue_backend.gather,
        shared=queue_backend.gather,
        apart=queue_backend.gather_behind_ledger,
    )
    api_keys = providers.Selector(
        settings.provided.api_keys_kind,
        file=providers.Singleton(
            FileApiKeys, providers.Factory(Path, settings.provided.api_keys_file)
        ),
        database=ledger_parts.provided.api_keys.call(),
        none=providers.Object(None),
    )

    address_hash = providers.Selector(
        settings.provided.address_hashes,
        setting=providers.Singleton(AddressHash, settings.provided.hash_secret),
        ledger=providers.Singleton(
            AddressHash, ledger_parts.provided.secrets.call().secret.call(_ADDRESS_HASHES)
        ),
        queue=providers.Singleton(
            AddressHash, queue_parts.provided.secrets.call().secret.call(_ADDRESS_HASHES)
        ),
        process=providers.Singleton(AddressHash.random),
    )

    senders = providers.Resource(open_senders, settings, sender_kinds)
    dispatcher = providers.Singleton(
        Dispatcher,
        senders,
        now=clock.provided.now,
        retry=providers.Factory(
            RetryPolicy,
            max_touches=settings.provided.max_touches,
            delays=settings.provided.retry_delays,
            asked_max_seconds=settings.provided.breaker_open_max,
        ),
        breaker=providers.Factory(
            BreakerPolicy,
            open_seconds=settings.provided.breaker_open,
            open_max_seconds=settings.provided.breaker_open_max,
            probe_share=_PROBE_SHARE,
        ),
    )
    report = providers.Singleton(WorkerReport, metrics, clock.provided.now)
    janitor = providers.Singleton(
        Janitor,
        ledger,
        clock=clock,
        body_days=settings.provided.keep_bodies_days,
        record_days=settings.provided.keep_ledger_days,
        dead_letters=dead_letters,
        letter_days=settings.provided.keep_dead_letters_days,
        audit_log=audit_log,
        audit_days=settings.provided.keep_audit_days,
    )
    worker = providers.Singleton(
        Worker,
        queue=queue,
        ledger=ledger,
        dispatcher=dispatcher,
        report=report,
        clock=clock,
        concurrency=settings.provided.concurrency,
        lease_seconds=settings.provided.lease,
        shutdown_seconds=settings.provided.shutdown,
        poll_seconds=queue_backend.poll_seconds,
        batch=queue_backend.batch,
    )


@contextmanager
def opened(environ: Mapping[str, str], opening: Opening = Opening.MAKE) -> Iterator[Container]:
    """Yield the container of these settings, and close in the end what it has opened."""
    configure_unset_logging()
    container = Container(environ=environ)
    container.opening.override(opening)
    try:
        yield container
    finally:
        container.shutdown_resources()
