"""The composition root: the only module that names adapters.

Each adapter is imported where it is built, so that a process loads only the libraries it uses.
"""
# ruff: noqa: PLC0415

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from limbo.domain.delivery.breaker import BreakerPolicy
from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.retry import RetryPolicy
from limbo.domain.errors import SettingsError
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.settings.settings import SenderSettings, Settings
from limbo.entrypoints.settings.variables import FAKE_SCRIPT
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.entrypoints.worker.janitor import Janitor
from limbo.entrypoints.worker.report import WorkerReport
from limbo.entrypoints.worker.worker import Worker
from limbo.ports.api_keys import ApiKeys
from limbo.ports.ledger import Ledger
from limbo.ports.outbox import Outbox, Reservations
from limbo.ports.queue import MailQueue
from limbo.ports.sender import Sender

if TYPE_CHECKING:
    from limbo.adapters.memory.ledger import MemoryLedger
    from limbo.adapters.memory.queue import MemoryQueue
    from limbo.adapters.sql.database import Database
    from limbo.adapters.sql.ledger import SqlLedger
    from limbo.adapters.sql.queue import SqlQueue
    from limbo.adapters.sqs.dead_letters import SqsDeadLetters
    from limbo.adapters.sqs.queue import SqsQueue

_LOCAL_POLL_SECONDS = 1.0
_SQS_POLL_SECONDS = 10.0  # Each poll of SQS costs money, and a stop waits for the one under way.
_SQS_BATCH = 10
_Build = Callable[[SenderSettings, Settings], Sender]


def _sqlite(url: str) -> "Iterator[Database]":
    from limbo.adapters.sql.sqlite import SqliteDatabase

    with closing(SqliteDatabase.connect(url)) as database:
        yield database


def _postgresql(url: str) -> "Iterator[Database]":
    try:
        from limbo.adapters.sql.postgres import PostgresDatabase
    except ImportError:
        raise SettingsError(
            "LIMBO_QUEUE and LIMBO_LEDGER must not be postgresql://… without psycopg:"
            " pip install 'psycopg[binary]'"
        ) from None
    with closing(PostgresDatabase.connect(url)) as database:
        yield database


def _memory_queue(settings: Settings) -> "MemoryQueue":
    from limbo.adapters.memory.queue import MemoryQueue

    return MemoryQueue(lease_seconds=settings.lease)


def _sql_queue(database: "Database", settings: Settings) -> "SqlQueue":
    from limbo.adapters.sql.queue import SqlQueue

    return SqlQueue(database, lease_seconds=settings.lease)


def _sqs_queue(settings: Settings, clock: Clock) -> "SqsQueue":
    from limbo.adapters.sqs.queue import SqsQueue

    return SqsQueue.connect(
        settings.queue,
        settings.dead_letter_queue or "",
        region=settings.region,
        lease_seconds=settings.lease,
        now=clock.now,
    )


def _sqs_dead_letters(settings: Settings) -> "SqsDeadLetters":
    from limbo.adapters.sqs.dead_letters import SqsDeadLetters

    return SqsDeadLetters.connect(
        settings.queue, settings.dead_letter_queue or "", region=settings.region
    )


def _memory_ledger() -> "MemoryLedger":
    from limbo.adapters.memory.ledger import MemoryLedger

    return MemoryLedger()


def _sql_ledger(database: "Database") -> "SqlLedger":
    from limbo.adapters.sql.ledger import SqlLedger

    return SqlLedger(database)


def _no_ledger() -> Ledger:
    from limbo.adapters.memory.no_ledger import NoLedger

    return NoLedger()


def _gathered(ledger: Ledger) -> Ledger:
    from limbo.entrypoints.worker.gathered_ledger import GatheredLedger

    return GatheredLedger(ledger)


def _queue_outbox(queue: MailQueue) -> Outbox:
    from limbo.adapters.outbox.queue_only import QueueOutbox

    return QueueOutbox(queue)


def _sql_outbox(database: "Database") -> Outbox:
    from limbo.adapters.sql.submission import SqlOutbox

    return SqlOutbox(database)


def _ledger_first_outbox(queue: MailQueue, ledger: Reservations) -> Outbox:
    from limbo.adapters.outbox.ledger_first import LedgerFirstOutbox

    return LedgerFirstOutbox(queue, ledger)


def _sql_keys(database: "Database") -> ApiKeys:
    from limbo.adapters.sql.api_keys import SqlApiKeys

    return SqlApiKeys(database)


def _file_keys(settings: Settings) -> ApiKeys:
    from limbo.adapters.files.api_keys import FileApiKeys

    return FileApiKeys(Path(settings.api_keys_file or ""))


def _ses(sender: SenderSettings, settings: Settings) -> Sender:
    from botocore.exceptions import BotoCoreError

    from limbo.adapters.providers.ses.sender import SesSender

    try:
        return SesSender.connect(
            name=sender.name,
            region=settings.region,
            source=sender.values.get("source"),
            pool_size=settings.concurrency,
            timeout=settings.send_timeout,
        )
    except (BotoCoreError, ValueError) as error:  # its text may hold what a program printed
        raise SettingsError(
            f"LIMBO_REGION and the AWS_ variables must let {sender.name} be set up"
            f" ({type(error).__name__})"
        ) from None


def _mailgun(sender: SenderSettings, settings: Settings) -> Sender:
    from limbo.adapters.providers.mailgun.sender import MailgunSender

    return MailgunSender.connect(
        name=sender.name,
        **sender.values,
        pool_size=settings.concurrency,
        timeout=settings.send_timeout,
    )


def _fakes() -> _Build:
    """Build fakes that follow one script together, so that one fails over to the next."""
    from limbo.adapters.providers.fake.sender import FakeScript, FakeSender, parse_script

    scripts: dict[str, FakeScript] = {}

    def build(sender: SenderSettings, _: Settings) -> Sender:
        text = sender.values.get("script", "")
        try:
            script = scripts.setdefault(text, FakeScript(parse_script(text)))
        except ValueError as error:
            raise SettingsError(f"{FAKE_SCRIPT.name} must be a script: {error}") from None
        return FakeSender(sender.name, script)

    return build


def _senders(settings: Settings) -> Sequence[Sender]:
    if not settings.senders:
        raise SettingsError(
            "LIMBO_SENDERS must name a sender, or the settings of one must be there"
            " (LIMBO_SES_SOURCE; LIMBO_MAILGUN_KEY and LIMBO_MAILGUN_DOMAIN)"
        )
    build: Mapping[str, _Build] = {"ses": _ses, "mailgun": _mailgun, "fake": _fakes()}
    return [build[sender.kind](sender, settings) for sender in settings.senders]


def _dispatcher(settings: Settings, senders: Sequence[Sender], clock: Clock) -> Dispatcher:
    return Dispatcher(
        senders,
        now=clock.now,
        retry=RetryPolicy(max_touches=settings.max_touches, delays=settings.retry_delays),
        breaker=BreakerPolicy(
            open_seconds=settings.breaker_open, open_max_seconds=settings.breaker_open_max
        ),
    )


class Container(containers.DeclarativeContainer):
    """Everything a process of limbo may need, built when it is first asked for."""

    settings = providers.Dependency(instance_of=Settings)
    clock = providers.Singleton(Clock)
    metrics = providers.Singleton(Metrics)

    queue_database = providers.Selector(
        settings.provided.queue_kind,
        sqlite=providers.Resource(_sqlite, settings.provided.queue),
        postgresql=providers.Resource(_postgresql, settings.provided.queue),
    )
    sql_queue = providers.Singleton(_sql_queue, queue_database, settings)
    queue = providers.Selector(
        settings.provided.queue_kind,
        memory=providers.Singleton(_memory_queue, settings),
        sqlite=sql_queue,
        postgresql=sql_queue,
        sqs=providers.Singleton(_sqs_queue, settings, clock),
    )
    dead_letters = providers.Selector(
        settings.provided.queue_kind,
        memory=queue.provided.dead_letters,
        sqlite=queue.provided.dead_letters,
        postgresql=queue.provided.dead_letters,
        sqs=providers.Singleton(_sqs_dead_letters, settings),
    )

    ledger_database = providers.Selector(
        settings.provided.ledger_kind,
        shared=queue_database,
        sqlite=providers.Resource(_sqlite, settings.provided.ledger),
        postgresql=providers.Resource(_postgresql, settings.provided.ledger),
    )
    memory_ledger = providers.Singleton(_memory_ledger)
    sql_ledger = providers.Singleton(_sql_ledger, ledger_database)
    gathered_ledger = providers.Singleton(_gathered, sql_ledger)
    ledger = providers.Selector(
        settings.provided.ledger_kind,
        shared=gathered_ledger,
        sqlite=gathered_ledger,
        postgresql=gathered_ledger,
        memory=memory_ledger,
        none=providers.Singleton(_no_ledger),
    )
    ledger_reader = providers.Selector(
        settings.provided.ledger_kind,
        shared=sql_ledger.provided.ledger_reader,
        sqlite=sql_ledger.provided.ledger_reader,
        postgresql=sql_ledger.provided.ledger_reader,
        memory=memory_ledger,
        none=providers.Object(None),
    )
    ledger_first_outbox = providers.Singleton(_ledger_first_outbox, queue, sql_ledger)
    outbox = providers.Selector(
        settings.provided.ledger_kind,
        shared=providers.Singleton(_sql_outbox, queue_database),
        sqlite=ledger_first_outbox,
        postgresql=ledger_first_outbox,
        memory=providers.Singleton(_ledger_first_outbox, queue, memory_ledger),
        none=providers.Singleton(_queue_outbox, queue),
    )

    sql_keys = providers.Singleton(_sql_keys, ledger_database)
    keys = providers.Selector(
        settings.provided.api_keys_kind,
        file=providers.Singleton(_file_keys, settings),
        database=sql_keys,
        none=providers.Object(None),
    )

    senders = providers.Singleton(_senders, settings)
    dispatcher = providers.Singleton(_dispatcher, settings, senders, clock)
    report = providers.Singleton(WorkerReport, metrics, clock.provided.now)
    janitor = providers.Singleton(
        Janitor,
        ledger,
        clock=clock,
        body_days=settings.provided.keep_bodies_days,
        record_days=settings.provided.keep_ledger_days,
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
        poll_seconds=providers.Selector(
            settings.provided.queue_kind,
            memory=providers.Object(_LOCAL_POLL_SECONDS),
            sqlite=providers.Object(_LOCAL_POLL_SECONDS),
            postgresql=providers.Object(_LOCAL_POLL_SECONDS),
            sqs=providers.Object(_SQS_POLL_SECONDS),
        ),
        batch=providers.Selector(
            settings.provided.queue_kind,
            memory=providers.Object(1),
            sqlite=providers.Object(1),
            postgresql=providers.Object(1),
            sqs=providers.Object(_SQS_BATCH),
        ),
    )
