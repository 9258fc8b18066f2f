"""What `limbo forget` leaves of an address: in both databases, and on SQS with a ledger."""

import contextlib
import itertools
import json
from pathlib import Path

import pytest

from limbo.adapters.encoding.mail_codec import PLAIN
from limbo.adapters.sql.dead_letters import SqlDeadLetters
from limbo.adapters.sql.erasure import SqlErasure
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.delivery.lifecycle import End, Start, Status, Stop
from limbo.domain.delivery.verdict import Cause, Death
from limbo.entrypoints.cli.forget.forgetting import Forgetting
from limbo.entrypoints.wiring.container import opened
from limbo.ports.ledger_reader import Query
from limbo.ports.outbox import Idempotency, Replayed, Submission
from tests.contracts.queue import take
from tests.support.body_keys import a_codec, a_setting
from tests.support.command_line import CommandLine
from tests.support.mails import a_mail
from tests.support.sql import open_database

ADDRESS = "Xaver.Yps@quax.example"
OTHER = "other@b.example"
CAUSE = Cause(kind="mail", sender="ses", reason="refused")
TABLES = (
    "queue", "dead_letters", "mails", "contents", "recipients", "recipients_by_status",
    "attempts", "idempotency",
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/limbo.db"
    return request.getfixturevalue("postgres_url")


class Site:
    """A limbo that has mails of the address in every state and role."""

    def __init__(self, url, codec=PLAIN):
        self.database = open_database(url)
        self.queue = SqlQueue(self.database, codec=codec)
        self.ledger = SqlLedger(self.database, codec=codec)
        self.reader = self.ledger.ledger_reader
        self.outbox = SqlOutbox(self.database, codec=codec)
        self.numbers = itertools.count()
        self.sent = [self._sent(to=[ADDRESS, OTHER]), self._sent(from_=ADDRESS.upper())]
        self.sent.append(self._sent(bcc=ADDRESS.lower()))
        self.dead = self._dead(cc=ADDRESS)
        self.theirs = [self._sent(to=OTHER), self._dead(to=OTHER)]

    def submit(self, **changes):
        text = {"subject": "Quaxe", "message": "Quaxe"} if ADDRESS in str(changes) else {}
        mail = a_mail(**text, **changes)
        key = Idempotency(f"key-{next(self.numbers)}", "f" * 64)
        submission = Submission(mail=mail, client="shop", idempotency=key)
        self.outbox.submit([submission])
        return submission

    def _sent(self, **changes):
        submission = self.submit(**changes)
        [lease] = take(self.queue, 1)
        self.ledger.write([Start(mail_id=lease.mail.id, sender="ses", started_at=1.5)])
        self.ledger.write([End(mail_id=lease.mail.id, status=Status.SENT, at=2.0)])
        self.queue.ack([lease])
        return submission

    def _dead(self, **changes):
        submission = self.submit(**changes)
        [lease] = take(self.queue, 1)
        self.queue.bury(lease, Death(cause=CAUSE))
        self.ledger.write([End(mail_id=lease.mail.id, status=Status.DEAD, at=2.0, cause=CAUSE)])
        return submission

    def text(self):
        """Return all that is stored, in lower case."""
        rows = [row for t in TABLES for row in self.database.execute(f"SELECT * FROM limbo_{t}")]
        return str(rows).lower()

    def status(self, submission):
        return self.reader.find(submission.mail.id, None).status


@pytest.fixture
def site(url):
    site = Site(url)
    yield site
    site.database.close()


@pytest.fixture
def limbo(url):
    return CommandLine({"LIMBO_QUEUE": url})


def counts(limbo):
    return {line.rsplit(maxsplit=1)[0]: line.split()[-1] for line in limbo.out.splitlines()[1:]}


def assert_forgotten(site):
    assert "yps@quax" not in site.text()
    assert "quaxe" not in site.text()
    for submission in site.theirs:
        assert site.reader.find(submission.mail.id, None).mail == submission.mail
    assert [each.mail_id for each in site.queue.dead_letters.list(10)] == [site.theirs[1].mail.id]


def test_nothing_is_left_of_the_address_but_that_there_were_mails(site, limbo):
    assert "yps@quax" in site.text()
    assert limbo.type("forget", f"X <{ADDRESS}>", "--yes") == 0
    assert counts(limbo) == {
        "mails": "4", "bodies": "4", "dead letters": "1", "idempotency keys": "4",
        "cancelled": "0", "left": "0", "unreadable": "0",
    }  # fmt: skip
    assert ADDRESS.lower() not in (limbo.out + limbo.err).lower()
    assert_forgotten(site)
    assert [site.status(each) for each in site.sent] == [Status.SENT] * 3
    assert site.reader.page(Query(client=None, to=ADDRESS)) == []
    again = site.theirs[0]
    assert site.outbox.submit([again]) == [Replayed(again.mail.id)]
    assert limbo.type("forget", ADDRESS, "--yes") == 0
    assert counts(limbo)["mails"] == "0"


def test_no_page_of_the_file_nor_its_log_holds_it_any_more(tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    site = Site(url)
    stored = [path.read_bytes() for path in Path(tmp_path).iterdir()]
    assert any(b"quax.example" in each for each in stored)
    assert any(b"Quaxe" in each for each in stored)
    assert CommandLine({"LIMBO_QUEUE": url}).type("forget", ADDRESS, "--yes") == 0
    stored = [path.read_bytes().lower() for path in Path(tmp_path).iterdir()]
    assert not any(b"quax" in each for each in stored)
    assert any(OTHER.encode() in each for each in stored)
    site.database.close()


def test_what_is_not_sent_yet_is_named_and_left_or_cancelled(site, limbo):
    waiting, sending = site.submit(to=ADDRESS), site.submit(from_=ADDRESS)
    leases = {lease.mail.id: lease for lease in take(site.queue, 2)}
    site.queue.release(leases[waiting.mail.id], 0)
    site.ledger.write([Start(mail_id=sending.mail.id, sender="ses", started_at=1.5)])
    assert limbo.type("forget", ADDRESS, "--yes") == 1
    assert f"{waiting.mail.id} queued" in limbo.err
    assert f"{sending.mail.id} sending" in limbo.err
    assert counts(limbo)["left"] == "2"
    assert limbo.type("forget", ADDRESS, "--yes", "--cancel-queued", "--json") == 1
    told = json.loads(limbo.out)
    assert (told["cancelled"], told["left"]) == (1, [{"id": sending.mail.id, "status": "sending"}])
    assert site.status(waiting) is Status.CANCELLED
    site.ledger.write([End(mail_id=sending.mail.id, status=Status.SENT, at=2.0)])
    site.queue.ack([leases[sending.mail.id]])
    assert limbo.type("forget", ADDRESS, "--yes") == 0
    assert_forgotten(site)


def test_a_mail_that_a_worker_holds_while_it_is_cancelled_is_not_sent(site, limbo):
    held = site.submit(to=ADDRESS)
    [lease] = take(site.queue, 1)
    assert limbo.type("forget", ADDRESS, "--yes", "--cancel-queued") == 0
    [reply] = site.ledger.write([Start(mail_id=held.mail.id, sender="ses", started_at=1.5)])
    assert reply.stop is Stop.CANCELLED
    assert site.queue.ack([lease]) == []
    assert_forgotten(site)


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [("n\n", 1, True), ("", 1, True), ("y\nn\n", 1, True), ("y\ny\n", 0, False)],
)
def test_a_person_is_asked_twice(site, url, answer, code, left):
    site.submit(to=ADDRESS)
    limbo = CommandLine({"LIMBO_QUEUE": url}, terminal=True)
    assert limbo.type("forget", ADDRESS, answer=answer) == code
    assert ("yps@quax" in site.text()) is left


def test_a_dry_run_changes_nothing_and_where_nobody_can_be_asked_nothing_is_done(site, limbo):
    before = site.text()
    assert limbo.type("forget", "--dry-run", answer=f"{ADDRESS}\n") == 0
    assert "mails: 4, not sent yet: 0, dead letters: 1" in limbo.err
    with pytest.raises(SystemExit):
        limbo.type("forget", ADDRESS)
    with pytest.raises(SystemExit):
        limbo.type("forget", "no address", "--yes")
    assert site.text() == before


class Killed(BaseException):
    """The process ends here."""


class Killing:
    """Ports that end the process at one of the calls, before or after it was done."""

    def __init__(self, port, calls):
        self._port, self._calls = port, calls

    def __getattr__(self, name):
        def call(*arguments):
            self._step()
            answer = getattr(self._port, name)(*arguments)
            self._step()
            return answer

        return call

    def _step(self):
        if next(self._calls) == 0:
            raise Killed


def test_killed_at_any_moment_it_can_be_run_again(url):
    for moment in itertools.count(1):
        site = Site(url)
        site.submit(to=ADDRESS)
        calls = itertools.count(moment, -1)
        letters, erasure = SqlDeadLetters(site.database), SqlErasure(site.database)
        forgetting = Forgetting(*(Killing(p, calls) for p in (letters, site.reader, erasure)))
        was_killed = True
        with contextlib.suppress(Killed):
            forgetting.forget(forgetting.find(ADDRESS), cancel=True)
            was_killed = False
        whole = Forgetting(letters, site.reader, erasure)
        assert whole.forget(whole.find(ADDRESS), cancel=True).left == []
        assert "yps@quax" not in site.text()
        for table in TABLES:
            site.database.execute(f"DELETE FROM limbo_{table}")
        site.database.close()
        if not was_killed:
            assert moment > 10
            return


def test_a_mail_that_was_redriven_since_it_was_found_keeps_what_it_needs(site):
    erasure = SqlErasure(site.database)
    assert site.queue.dead_letters.redrive([site.dead.mail.id]) == 1
    assert erasure.erase([site.dead.mail.id]).mails == 0
    assert site.reader.find(site.dead.mail.id, None).mail == site.dead.mail


def test_what_came_or_was_redriven_while_a_person_was_asked_is_told_as_left(site):
    letters, erasure = SqlDeadLetters(site.database), SqlErasure(site.database)
    forgetting = Forgetting(letters, site.reader, erasure)
    found = forgetting.find(ADDRESS)
    assert letters.redrive([site.dead.mail.id]) == 1
    new = site.submit(to=ADDRESS)
    left = forgetting.forget(found, cancel=True).left
    assert {mail.id for mail in left} == {site.dead.mail.id, new.mail.id}
    assert forgetting.forget(forgetting.find(ADDRESS), cancel=True).left == []
    assert_forgotten(site)


def test_encrypted_mails_are_found_and_those_whose_key_is_missing_are_told(tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    site = Site(url, a_codec("k1"))
    [letter] = [x for x in site.queue.dead_letters.list(10) if x.mail_id == site.dead.mail.id]
    site.database.execute("DELETE FROM limbo_mails WHERE id = :id", {"id": site.dead.mail.id})
    limbo = CommandLine({"LIMBO_QUEUE": url})
    assert limbo.type("forget", ADDRESS, "--yes") == 1
    assert counts(limbo)["unreadable"] == "2"
    assert site.queue.dead_letters.show(letter.id) is not None
    limbo.environ["LIMBO_BODY_KEYS"] = a_setting("k2", "k1")
    assert limbo.type("forget", ADDRESS, "--yes") == 0
    assert site.queue.dead_letters.show(letter.id) is None
    site.database.close()


def test_a_sealed_dead_letter_that_nobody_can_open_goes_with_its_mail(tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    site = Site(url, a_codec("k1"))
    mail = site.submit(to=ADDRESS).mail
    [lease] = take(site.queue, 1)
    site.queue.bury(lease, Death(cause=CAUSE))
    site.database.execute(
        "UPDATE limbo_dead_letters SET body = substr(body, 1, length(body) - 6)"
        " WHERE mail_id = :id",
        {"id": mail.id},
    )
    limbo = CommandLine({"LIMBO_QUEUE": url, "LIMBO_BODY_KEYS": a_setting("k1")})
    assert limbo.type("forget", ADDRESS, "--yes", "--cancel-queued") == 0
    assert site.queue.dead_letters.show(mail.id) is None
    site.database.close()


def test_a_dead_letter_that_is_no_mail_but_holds_the_address_goes_too(site, limbo):
    body = b'{"broken": "' + ADDRESS.encode() + b'"'
    site.database.execute(
        "UPDATE limbo_dead_letters SET body = :body WHERE mail_id = :id",
        {"body": body, "id": site.dead.mail.id},
    )
    assert limbo.type("forget", ADDRESS, "--yes") == 0
    assert_forgotten(site)


def test_on_sqs_the_dead_letters_and_the_ledger_forget(aws, tmp_path, monkeypatch):
    for name, value in (
        ("AWS_ENDPOINT_URL_SQS", aws.url),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(name, value)
    limbo = CommandLine(
        {
            "LIMBO_QUEUE": aws.queue(fifo=True),
            "LIMBO_DEAD_LETTER_QUEUE": aws.queue(fifo=True),
            "LIMBO_REGION": "eu-west-1",
            "LIMBO_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
        }
    )
    with opened(limbo.environ) as container:
        dead, waiting = a_mail(to=ADDRESS, subject="dead"), a_mail(to=ADDRESS, subject="waiting")
        container.outbox().submit([Submission(mail=dead), Submission(mail=waiting)])
        queue = container.queue()
        for lease in take(queue, 2):
            if lease.mail.id == dead.id:
                queue.bury(lease, Death(cause=CAUSE))
                end = End(mail_id=dead.id, status=Status.DEAD, at=2.0, cause=CAUSE)
                container.ledger().write([end])
            else:
                queue.release(lease, 0)
        assert limbo.type("forget", ADDRESS, "--yes", "--cancel-queued") == 0
        assert (counts(limbo)["dead letters"], counts(limbo)["cancelled"]) == ("1", "1")
        assert container.dead_letters().list(10) == []
        start = Start(mail_id=waiting.id, sender="ses", started_at=1.5)
        assert container.ledger().write([start])[0].stop is Stop.CANCELLED
        assert container.erasure().find(ADDRESS) == []


def test_without_a_ledger_the_dead_letters_alone_are_looked_through(url):
    site = Site(url)
    limbo = CommandLine({"LIMBO_QUEUE": url, "LIMBO_LEDGER": "none"})
    assert limbo.type("forget", ADDRESS, "--yes") == 0
    assert "there is no ledger" in limbo.err
    assert counts(limbo)["dead letters"] == "1"
    site.database.close()


def test_a_queue_in_memory_is_refused():
    limbo = CommandLine({"LIMBO_QUEUE": "memory:"})
    assert limbo.type("forget", ADDRESS, "--yes") == 2
    assert "must not be memory: for `limbo forget`" in limbo.err
