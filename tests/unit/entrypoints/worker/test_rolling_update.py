"""Two versions of limbo at one queue: each sends what it knows all of, and nothing is lost."""

import json
from dataclasses import replace

import pytest

from limbo.adapters.encoding.codec import decode_mail, encode_mail
from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.providers.fake.sender import FakeSender
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.mail.mail import Mail
from tests.support.mail_fields import NEWER, SAMPLES, VALID, RichMail
from tests.support.working import until, working


class QueueOf:
    """A queue as a limbo uses it whose mails are of one kind."""

    def __init__(self, queue, kind):
        self._queue = queue
        self._kind = kind

    def put(self, mails):
        return self._queue.put([decode_mail(encode_mail(mail), mail.id) for mail in mails])

    def receive(self, limit, wait):
        leases = self._queue.receive(limit, wait)
        return [replace(each, mail=self._read(each.mail)) for each in leases]

    def __getattr__(self, name):
        return getattr(self._queue, name)

    def _read(self, mail):
        if not isinstance(mail, Mail):
            return mail
        return decode_mail(encode_mail(mail), mail.id, self._kind)


@pytest.fixture
def queue(tmp_path):
    database = SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")
    yield SqlQueue(database)
    database.close()


def submitted(queue, kind, id_, **fields):
    mail = kind.parse(VALID | fields, id=id_, submitted_at=1.0)
    QueueOf(queue, kind).put([mail])
    return mail


def send_all(queue, kind, count):
    """Let a worker of that kind settle so many mails, and return what it sent and what it left."""
    sender = FakeSender("fake")
    with working(QueueOf(queue, kind), [sender]) as worker:

        def settled(outcome):
            return worker.count("limbo_mails_settled_total", outcome=outcome)

        until(lambda: settled("sent") + settled("newer") == count)
    return list(sender.accepted), settled("newer")


def test_an_old_worker_sends_the_old_mails_of_a_new_api_and_leaves_the_new_ones(queue):
    plain = submitted(queue, RichMail, "plain")
    rich = submitted(queue, RichMail, "rich", made_up=SAMPLES["made_up"].value)
    assert (plain.version, rich.version) == (1, NEWER)
    sent, left = send_all(queue, Mail, count=2)
    assert [mail.id for mail in sent] == ["plain"]
    assert left == 1
    depth = queue.depth()
    assert (depth.ready, depth.in_flight, depth.deferred, depth.dead) == (0, 0, 1, {})


def test_a_new_worker_sends_what_either_api_took(queue):
    mails = [
        submitted(queue, Mail, "old"),
        submitted(queue, RichMail, "plain"),
        submitted(queue, RichMail, "rich", made_up=SAMPLES["made_up"].value),
    ]
    sent, left = send_all(queue, RichMail, count=3)
    assert {mail.id: mail.made_up for mail in sent} == {
        "old": "",
        "plain": "",
        "rich": SAMPLES["made_up"].value,
    }
    assert left == 0
    assert [mail.version for mail in mails] == [1, 1, NEWER]


def test_what_is_a_mail_for_a_newer_limbo_alone_is_left_and_not_buried():
    queue = MemoryQueue()
    newer = {"v": NEWER, "id": "m-1", "submitted_at": 1.0, **VALID, "message": "", "made_up": "<p>"}
    queue.put([decode_mail(json.dumps(newer), "m-1")])
    sent, left = send_all(queue, Mail, count=1)
    assert (sent, left) == ([], 1)
    assert (queue.depth().deferred, queue.depth().dead) == (1, {})
