"""What the container builds of which settings, closes in the end, and lets be replaced."""

import os
import subprocess
import sys

import pytest

from limbo.adapters.files.api_keys import FileApiKeys
from limbo.adapters.memory.ledger import MemoryLedger
from limbo.adapters.memory.no_ledger import NoLedger
from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.outbox.ledger_first import LedgerFirstOutbox
from limbo.adapters.outbox.queue_only import QueueOutbox
from limbo.adapters.providers.fake.sender import FakeSender
from limbo.adapters.sql.api_keys import SqlApiKeys
from limbo.adapters.sql.ledger_reader import SqlLedgerReader
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.submission import SqlOutbox
from limbo.adapters.sqs.queue import SqsQueue
from limbo.domain.delivery.lifecycle import End, Status
from limbo.domain.delivery.verdict import Accepted, Cause, Death, Fault
from limbo.entrypoints.http.resources.submission.gather import GatherLimits
from limbo.entrypoints.wiring.container import Container, opened
from limbo.entrypoints.worker.gathered_ledger import GatheredLedger
from limbo.ports.outbox import Submission
from tests.support.mails import a_mail

SQS = {"QUEUE": "mails", "DEADLETTERQUEUE": "dead", "REGION": "eu-west-1"}
ALL_IN_ONE = (SqlQueue, GatheredLedger, SqlLedgerReader, SqlOutbox, SqlApiKeys)
LEDGER_APART = (GatheredLedger, SqlLedgerReader, LedgerFirstOutbox, SqlApiKeys)
NO_LEDGER = (NoLedger, type(None), QueueOutbox, type(None))
FOR_DATABASE, FAR_AWAY = GatherLimits(enough=32), GatherLimits(batch=10, calls=8)


@pytest.fixture
def opened_with(tmp_path):
    opened_ = []

    def open_(**environ: str) -> Container:
        here = {name: value.format(tmp_path) for name, value in environ.items()}
        container = Container(environ=here)
        opened_.append(container)
        return container

    yield open_
    for container in opened_:
        container.shutdown_resources()


@pytest.mark.parametrize(
    ("environ", "types", "gather"),
    [
        ({"LIMBO_QUEUE": "sqlite:///{}/q.db"}, ALL_IN_ONE, FOR_DATABASE),
        (
            {"LIMBO_QUEUE": "sqlite:///{}/q.db", "LIMBO_LEDGER": "sqlite:///{}/l.db"},
            (SqlQueue, *LEDGER_APART),
            FOR_DATABASE,
        ),
        (
            {"LIMBO_QUEUE": "sqlite:///{}/q.db", "LIMBO_LEDGER": "none"},
            (SqlQueue, *NO_LEDGER),
            FOR_DATABASE,
        ),
        (
            {"LIMBO_QUEUE": "memory:"},
            (MemoryQueue, MemoryLedger, MemoryLedger, LedgerFirstOutbox, type(None)),
            GatherLimits(),
        ),
        (
            {"LIMBO_QUEUE": "memory:", "LIMBO_LEDGER": "sqlite:///{}/l.db"},
            (MemoryQueue, *LEDGER_APART),
            GatherLimits(),
        ),
        (SQS, (SqsQueue, *NO_LEDGER), FAR_AWAY),
        ({**SQS, "LIMBO_LEDGER": "sqlite:///{}/l.db"}, (SqsQueue, *LEDGER_APART), GatherLimits()),
        (
            {**SQS, "LIMBO_API_KEYS_FILE": "{}/keys.json"},
            (SqsQueue, *NO_LEDGER[:3], FileApiKeys),
            FAR_AWAY,
        ),
    ],
)
def test_queue_and_ledger_say_what_is_built(opened_with, environ, types, gather):
    container = opened_with(**environ)
    parts = (
        container.queue(),
        container.ledger(),
        container.ledger_reader(),
        container.outbox(),
        container.api_keys(),
    )
    assert tuple(map(type, parts)) == types
    assert container.gather_limits() == gather


def test_queue_and_ledger_in_one_place_share_it(opened_with):
    container = opened_with(LIMBO_QUEUE="memory:")
    assert container.queue_parts() is container.ledger_parts()
    assert container.ledger() is container.ledger_reader()
    assert container.queue() is container.queue()
    assert container.queue().dead_letters is container.dead_letters()


def test_a_database_is_closed_with_its_container_and_leaves_one_file(tmp_path):
    with opened({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/q.db"}) as container:
        container.queue().depth()
        assert (tmp_path / "q.db-wal").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["q.db"]


def test_what_was_not_asked_for_is_not_opened(tmp_path):
    with opened({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/q.db"}) as container:
        assert container.settings().queue_kind == "sqlite"
    assert not list(tmp_path.iterdir())


def test_other_senders_can_be_put_in(opened_with):
    container = opened_with(LIMBO_QUEUE="memory:", LIMBO_SENDERS="ses")
    fake = FakeSender("mine")
    with container.senders.override([fake]):
        outcome = container.dispatcher().states()
        assert [*outcome] == ["mine"]
    assert isinstance(fake.send(a_mail()), Accepted)


def test_another_queue_can_be_put_in(opened_with, tmp_path):
    container = opened_with(LIMBO_QUEUE="sqlite:///{}/q.db", LIMBO_LEDGER="none")
    queue = MemoryQueue()
    with container.queue.override(queue):
        container.outbox().submit([])
        assert container.queue() is queue
    assert not list(tmp_path.iterdir())


def test_defaults_give_way_to_what_is_set(opened_with):
    container = opened_with(LIMBO_SENDERS="fake")
    container.defaults.override({"LIMBO_QUEUE": "memory:", "LIMBO_SENDERS": "fake.a"})
    settings = container.settings()
    assert (settings.queue_kind, [s.name for s in settings.senders]) == ("memory", ["fake"])


def test_fakes_of_a_process_follow_one_script(opened_with):
    container = opened_with(LIMBO_SENDERS="fake.a,fake.b", LIMBO_FAKE_SCRIPT="outage, ok")
    first, second = container.senders()
    verdicts = [sender.send(a_mail()) for sender in (first, second, first)]
    assert [isinstance(verdict, Accepted) for verdict in verdicts] == [False, True, True]


@pytest.mark.parametrize("queue", ["memory:", "sqlite:///{}/q.db"])
def test_a_redriven_mail_is_queued_again_in_the_ledger_beside_its_queue(
    opened_with, tmp_path, queue
):
    container = opened_with(LIMBO_QUEUE=queue.format(tmp_path))
    mail = a_mail()
    container.outbox().submit([Submission(mail=mail, client="shop")])
    [lease] = container.queue().receive(1, 0)
    cause = Cause(kind=Fault.MAIL, reason="550", sender="fake")
    container.ledger().write([End(mail_id=mail.id, status=Status.DEAD, at=2.0, cause=cause)])
    container.queue().bury(lease, Death(cause=cause))
    assert container.ledger_reader().find(mail.id, None).cause == cause
    assert container.dead_letters().redrive([mail.id]) == 1
    record = container.ledger_reader().find(mail.id, None)
    assert (record.status, record.cause) == (Status.QUEUED, None)


_LOADED = """
import sys
from limbo.entrypoints.wiring.container import opened
with opened({environ}) as container:
    container.queue(), container.outbox(), container.api_keys(), container.senders()
print(*(name for name in {names} if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("environ", "loaded"),
    [
        ({"LIMBO_QUEUE": "memory:", "LIMBO_SENDERS": "fake"}, ""),
        ({"LIMBO_QUEUE": "sqlite:///{}/q.db", "LIMBO_SENDERS": "fake"}, "sqlite3"),
        ({**SQS, "LIMBO_SENDERS": "fake"}, "boto3"),
        ({"LIMBO_QUEUE": "memory:", "MAILGUN": "key", "DOMAIN": "b.example"}, "requests"),
        ({"LIMBO_QUEUE": "memory:", "SESSOURCE": "a@b.example", "REGION": "eu-west-1"}, "boto3"),
    ],
)
def test_a_process_loads_only_the_libraries_that_it_uses(environ, loaded, tmp_path):
    here = {name: value.format(tmp_path) for name, value in environ.items()}
    program = _LOADED.format(environ=here, names=("boto3", "psycopg", "requests", "sqlite3"))
    shown = subprocess.run(
        [sys.executable, "-c", program],
        # Without coverage, which loads sqlite3 itself.
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert shown.stdout.strip() == loaded
