"""The composition root: the only module that names adapters.

Each adapter is imported where it is built, so that a process loads only the libraries it uses.
"""
# ruff: noqa: PLC0415

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from limbo.domain.dispatch import Dispatcher, RetryPolicy
from limbo.domain.errors import SettingsError
from limbo.domain.health import BreakerPolicy
from limbo.entrypoints.clock import Clock
from limbo.entrypoints.janitor import Janitor
from limbo.entrypoints.journal import Journal
from limbo.entrypoints.metrics import Metrics
from limbo.entrypoints.settings import SenderSettings, Settings
from limbo.entrypoints.variables import FAKE_SCRIPT
from limbo.entrypoints.worker import Worker
from limbo.ports.ledger import Ledger
from limbo.ports.sender import Sender

if TYPE_CHECKING:
    from limbo.adapters.memory_queue import MemoryQueue
    from limbo.adapters.queue_outbox import QueueOutbox
    from limbo.adapters.sql_queue import SqlQueue
    from limbo.adapters.sqs_dead_letters import SqsDeadLetters
    from limbo.adapters.sqs_queue import SqsQueue
    from limbo.ports.queue import MailQueue

_LOCAL_POLL_SECONDS = 1.0
_SQS_POLL_SECONDS = 10.0  # Each poll of SQS costs money, and a stop waits for the one under way.
_Build = Callable[[SenderSettings, Settings], Sender]


def _memory_queue(settings: Settings) -> "MemoryQueue":
    from limbo.adapters.memory_queue import MemoryQueue

    return MemoryQueue(lease_seconds=settings.lease)


def _sqlite_queue(settings: Settings) -> "SqlQueue":
    from limbo.adapters.sql_queue import SqlQueue
    from limbo.adapters.sqlite_database import SqliteDatabase

    return SqlQueue(SqliteDatabase.connect(settings.queue), lease_seconds=settings.lease)


def _postgresql_queue(settings: Settings) -> "SqlQueue":
    try:
        from limbo.adapters.postgres_database import PostgresDatabase
    except ImportError:
        raise SettingsError(
            "LIMBO_QUEUE must not be postgresql://… without psycopg: pip install 'limbo[postgres]'"
        ) from None
    from limbo.adapters.sql_queue import SqlQueue

    return SqlQueue(PostgresDatabase.connect(settings.queue), lease_seconds=settings.lease)


def _sqs_queue(settings: Settings) -> "SqsQueue":
    from limbo.adapters.sqs_queue import SqsQueue

    return SqsQueue.connect(
        settings.queue,
        settings.dead_letter_queue or "",
        region=settings.region,
        lease_seconds=settings.lease,
    )


def _sqs_dead_letters(settings: Settings) -> "SqsDeadLetters":
    from limbo.adapters.sqs_dead_letters import SqsDeadLetters

    return SqsDeadLetters.connect(
        settings.queue, settings.dead_letter_queue or "", region=settings.region
    )


def _outbox(queue: "MailQueue") -> "QueueOutbox":
    from limbo.adapters.queue_outbox import QueueOutbox

    return QueueOutbox(queue)


def _ses(sender: SenderSettings, settings: Settings) -> Sender:
    from botocore.exceptions import BotoCoreError

    from limbo.adapters.ses_sender import SesSender

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
    from limbo.adapters.mailgun_sender import MailgunSender

    return MailgunSender.connect(
        name=sender.name,
        **sender.values,
        pool_size=settings.concurrency,
        timeout=settings.send_timeout,
    )


def _fakes() -> _Build:
    """Build fakes that follow one script together, so that one fails over to the next."""
    from limbo.adapters.fake_sender import FakeScript, FakeSender, parse_script

    scripts: dict[str, FakeScript] = {}

    def build(sender: SenderSettings, _: Settings) -> Sender:
        text = sender.values.get("script", "")
        try:
            script = scripts.setdefault(text, FakeScript(parse_script(text)))
        except ValueError as error:
            raise SettingsError(f"{FAKE_SCRIPT.name} must be a script: {error}") from None
        return FakeSender(sender.name, script)

    return build


def _ledger(_: Settings) -> Ledger:
    from limbo.adapters.no_ledger import NoLedger

    return NoLedger()


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
    queue = providers.Selector(
        settings.provided.queue_kind,
        memory=providers.Singleton(_memory_queue, settings),
        sqlite=providers.Singleton(_sqlite_queue, settings),
        postgresql=providers.Singleton(_postgresql_queue, settings),
        sqs=providers.Singleton(_sqs_queue, settings),
    )
    dead_letters = providers.Selector(
        settings.provided.queue_kind,
        memory=queue.provided.dead_letters,
        sqlite=queue.provided.dead_letters,
        postgresql=queue.provided.dead_letters,
        sqs=providers.Singleton(_sqs_dead_letters, settings),
    )
    outbox = providers.Singleton(_outbox, queue)
    ledger = providers.Singleton(_ledger, settings)
    senders = providers.Singleton(_senders, settings)
    dispatcher = providers.Singleton(_dispatcher, settings, senders, clock)
    journal = providers.Singleton(Journal, metrics, clock.provided.now)
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
        journal=journal,
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
    )
