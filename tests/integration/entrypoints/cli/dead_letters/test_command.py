"""``limbo dead-letters`` as an operator runs it, on each queue, killed now and then."""

import contextlib
import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from limbo.adapters.sql.database import Database
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sqs.dead_letters import HIDDEN_FOR, SqsDeadLetters
from limbo.adapters.sqs.queue import SqsQueue
from limbo.domain.delivery.verdict import Cause, Death, Fault
from limbo.ports.dead_letters import DeadLetters
from tests.contracts.queue import Queue, take
from tests.support import forked
from tests.support.command_line import CommandLine
from tests.support.mails import a_mail
from tests.support.moto import Aws

KEY = Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="401 Forbidden")
REFUSED = Cause(kind=Fault.MAIL, sender="ses", reason="MessageRejected: virus")
AWS = ("AWS_ENDPOINT_URL_SQS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
MANY = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A queue, and the environment that names it to a process of limbo."""

    queue: Queue
    dead_letters: DeadLetters
    environ: dict[str, str]
    elapse: Callable[[float], None] = field(default=lambda _: None)

    def bury(self, cause: Cause, count: int) -> list[str]:
        self.queue.put([a_mail() for _ in range(count)])
        leases = take(self.queue, count)
        for lease in leases:
            self.queue.bury(lease, Death(cause=cause))
        return [lease.mail.id for lease in leases]

    def run(self, *arguments: str, code: int = 0) -> CommandLine:
        """Run a command in this process; return what it printed."""
        limbo = CommandLine(self.environ)
        with pytest.MonkeyPatch.context() as process:
            for name in AWS:  # boto3 reads them from the process
                if name in self.environ:
                    process.setenv(name, self.environ[name])
            assert limbo.type("dead-letters", *arguments) == code, limbo.err
        return limbo

    def kill_redrive(self, seconds: float) -> None:
        """Redrive all, and kill the process so many seconds after it has begun."""
        ours, theirs = os.pipe()
        with open(ours, "rb") as told, open(theirs, "wb") as stderr:  # noqa: PTH123 - no paths
            process = forked.start(
                *("dead-letters", "redrive", "--all"),
                environ=self._environ,
                stdout=stderr,
                stderr=stderr,
            )
            assert told.readline().startswith(b"there are ")
            time.sleep(seconds)
            process.kill()
            process.wait(60)

    def waiting(self) -> list[str]:
        """Return the ids of the mails in the queue, and leave them there."""
        leases = [*itertools.chain.from_iterable(iter(lambda: self.queue.receive(100, 0), []))]
        for lease in leases:
            self.queue.release(lease, 0)
        return sorted(lease.mail.id for lease in leases)

    def dead(self) -> list[str]:
        return sorted(letter.mail_id for letter in self.dead_letters.list(MANY * 2))

    @property
    def _environ(self) -> dict[str, str]:
        ours = ("LIMBO_", "AWS_", "QUEUE", "DEADLETTERQUEUE", "REGION")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return {**kept, **self.environ}


@contextlib.contextmanager
def a_sql_site(kind: str, request: pytest.FixtureRequest) -> Iterator[tuple[Database, Site]]:
    if kind == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('tmp_path')}/limbo.db"
        database: Database = SqliteDatabase.connect(url)
    else:
        url = request.getfixturevalue("postgres_url")
        database = PostgresDatabase.connect(url)
    with contextlib.closing(database):
        queue = SqlQueue(database)
        environ = {"LIMBO_QUEUE": url}
        yield database, Site(queue=queue, dead_letters=queue.dead_letters, environ=environ)


def an_sqs_site(aws: Aws, *, fifo: bool) -> Site:
    url, dead_url = aws.queue(fifo=fifo), aws.queue(fifo=fifo)
    return Site(
        queue=SqsQueue(aws.sqs, url, dead_url, now=aws.now),
        dead_letters=SqsDeadLetters(aws.sqs, url, dead_url, patience=0),
        elapse=aws.elapse,
        environ={
            "LIMBO_QUEUE": url,
            "LIMBO_DEAD_LETTER_QUEUE": dead_url,
            "LIMBO_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_SQS": aws.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        },
    )


@pytest.fixture(params=["sqlite", "postgresql", "sqs"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A queue of each kind."""
    if request.param == "sqs":
        yield an_sqs_site(request.getfixturevalue("aws"), fifo=False)
        return
    with a_sql_site(request.param, request) as (_, opened):
        yield opened


def test_an_operator_works_with_the_dead_letters(site):
    refused = site.bury(REFUSED, 2)
    dead = site.bury(KEY, 12)
    causes = json.loads(site.run("causes", "--json").out)["data"]
    assert [(each["cause"]["id"], each["count"]) for each in causes] == [
        (KEY.id, 12),
        (REFUSED.id, 2),
    ]

    first = json.loads(site.run("list", "--json", "--limit", "10").out)
    assert first["has_more"]
    after = first["data"][-1]["id"]
    rest = json.loads(site.run("list", "--json", "--after", after).out)
    listed = [letter["mail_id"] for letter in first["data"] + rest["data"]]
    assert sorted(listed) == sorted(refused + dead)

    shown = json.loads(site.run("show", refused[0], "--json", "--mail").out)
    assert (shown["mail_id"], shown["mail"]["subject"]) == (refused[0], "Hello")
    assert site.run("redrive", "--cause", KEY.id).out == "12 dead letters redriven\n"
    assert site.waiting() == sorted(dead)
    assert site.run("redrive", refused[0], "nothing", code=1).out == "1 dead letter redriven\n"
    with pytest.raises(SystemExit):  # nobody is there to be asked
        site.run("drop", "--all")
    assert site.dead() == refused[1:]
    assert site.run("drop", "--all", "--yes").out == "1 dead letter dropped\n"
    assert site.dead() == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_redrive_killed_at_any_instant_leaves_each_mail_in_one_place(kind, request):
    with a_sql_site(kind, request) as (database, site):
        mails = _bury_many(database)
        for _ in range(3):
            site.kill_redrive(random.uniform(0, 0.1))
            # In one statement: what was asked of PostgreSQL before the kill may be done after it.
            places = database.execute(
                "SELECT id FROM limbo_queue UNION ALL SELECT mail_id FROM limbo_dead_letters"
            )
            assert sorted(id_ for (id_,) in places) == mails
        site.run("redrive", "--all")
        assert (site.waiting(), site.dead()) == (mails, [])


@pytest.mark.parametrize("fifo", [False, True])
def test_a_redrive_killed_on_sqs_loses_nothing(aws, fifo):
    site = an_sqs_site(aws, fifo=fifo)
    dead_url = site.environ["LIMBO_DEAD_LETTER_QUEUE"]
    put = [a_mail() for _ in range(120)]
    SqsQueue(aws.sqs, dead_url, dead_url).put(put)
    mails = sorted(mail.id for mail in put)
    site.kill_redrive(random.uniform(0, 0.5))
    time.sleep(0.5)  # what was asked of SQS before the kill may be answered after it
    site.elapse(HIDDEN_FOR + 1)
    dead, waiting = site.dead(), site.waiting()  # a letter is in the queue before it is gone here
    assert sorted({*waiting, *dead}) == mails
    site.run("redrive", "--all")
    assert sorted({*site.waiting()}) == mails
    assert site.dead() == []
    if fifo:
        assert len(site.waiting()) == len(mails)


@pytest.mark.parametrize(
    ("environ", "code", "says"),
    [
        ({"LIMBO_QUEUE": "memory:"}, 2, "limbo: LIMBO_QUEUE must not be memory:"),
        ({"LIMBO_QUEUE": "sqs", "LIMBO_REGION": "eu-west-1"}, 2, "LIMBO_DEAD_LETTER_QUEUE"),
        ({"LIMBO_QUEUE": "postgresql://x@127.0.0.1:1/x"}, 1, "limbo: cannot use the PostgreSQL"),
    ],
)
def test_says_in_one_line_why_there_is_nothing_to_work_with(environ, code, says):
    site = Site(queue=None, dead_letters=None, environ=environ)
    done = site.run("list", code=code)
    assert says in done.err
    assert done.err.count("\n") == 1


def _bury_many(database: Database) -> list[str]:
    """Bury mails, each as it would be, but all in one transaction."""
    queue = SqlQueue(database)
    mails = [a_mail() for _ in range(MANY)]
    queue.put(mails)
    database.execute("""
        INSERT INTO limbo_dead_letters (
            id, mail_id, body, submitted_at, kind, sender, reason, attempts, buried_at,
            possible_duplicate
        )
        SELECT id, id, body, submitted_at, 'account', 'mailgun', '401', '[]', due, FALSE
        FROM limbo_queue
    """)
    database.execute("DELETE FROM limbo_queue")
    return sorted(mail.id for mail in mails)
