"""What every outbox does: each adapter's test class inherits the contract."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from limbo.domain.delivery.lifecycle import Status
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger_reader import LedgerReader, Query
from limbo.ports.outbox import Idempotency, KeptAs, KeyConflict, Outbox, Replayed, Submission
from limbo.ports.queue import Kept, MailQueue, NotKept
from tests.support.mails import a_mail

REFUSAL = NotKept(reason="as the test wants it")


@dataclass(slots=True)
class Switch:
    """Makes the queue refuse everything while it is off."""

    on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRig:
    """An empty outbox and the means to test it; without a ledger, no ``ledger_reader``."""

    outbox: Outbox
    queue: MailQueue
    switch: Switch
    ledger_reader: LedgerReader | None
    close: Callable[[], None] = lambda: None

    def queued(self) -> list[str]:
        """Take all mails out of the queue, and return their sorted ids."""
        leases = [*itertools.chain.from_iterable(iter(lambda: self.queue.receive(100, 0), []))]
        return sorted(lease.mail.id for lease in leases)


def plain(client: str = "") -> Submission:
    return Submission(mail=a_mail(), client=client)


def keyed(key: str = "k", fingerprint: str = "f", client: str = "", **changes: object):
    idempotency = Idempotency(key, fingerprint)
    return Submission(mail=a_mail(**changes), client=client, idempotency=idempotency)


class OutboxContract:
    """Tests of an Outbox; an adapter's test class gives the fixture ``new_rig``."""

    deduplicates: ClassVar[bool] = True
    """False where a key is only the mail's id, and the queue alone may know it again.

    Such an outbox is not asked what a second submission with a key is answered with.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.deduplicates:
            for name in (
                "test_a_key_stands_for_one_mail",
                "test_many_at_once_with_one_key_are_one_mail",
            ):
                setattr(cls, name, None)

    @pytest.fixture
    def new_rig(self) -> Callable[[], OutboxRig]:
        raise NotImplementedError

    @pytest.fixture
    def rig(self, new_rig: Callable[[], OutboxRig]) -> Iterator[OutboxRig]:
        rig = new_rig()
        yield rig
        rig.close()

    def test_what_is_kept_is_in_the_queue_and_in_the_ledger(self, rig):
        submissions = [
            replace(plain(client=f"client-{number}"), key=f"key-{number}" if number % 2 else None)
            for number in range(25)
        ]
        assert rig.outbox.submit([]) == []
        assert rig.outbox.submit(submissions) == [Kept()] * 25
        ids = sorted(submission.mail.id for submission in submissions)
        if rig.ledger_reader is not None:
            records = rig.ledger_reader.page(Query(client=None))
            assert sorted(record.id for record in records) == ids
            assert {record.status for record in records} == {Status.QUEUED}
            made = {(record.client, record.key) for record in records}
            assert made == {(s.client, s.key) for s in submissions}
        assert rig.queued() == ids

    def test_what_is_refused_is_not_in_the_queue_and_the_ledger_says_so(self, rig):
        rig.switch.on = False
        submissions = [plain(), keyed()]
        assert rig.outbox.submit(submissions) == [REFUSAL] * 2
        if rig.ledger_reader is not None:
            records = rig.ledger_reader.page(Query(client=None))
            assert {record.status for record in records} <= {Status.REFUSED}
        assert rig.queued() == []

    def test_a_refused_submission_leaves_its_key_free(self, rig):
        rig.switch.on = False
        assert rig.outbox.submit([keyed(), keyed(), keyed(fingerprint="g")]) == [REFUSAL] * 3
        rig.switch.on = True
        submission = keyed(fingerprint="h")
        assert self._ids([submission], rig.outbox.submit([submission])) == rig.queued()

    def test_the_same_key_in_one_batch_is_one_mail(self, rig):
        submissions = [keyed("k"), keyed("l"), plain(), keyed("k"), keyed("k"), keyed("l")]
        answers = rig.outbox.submit(submissions)
        ids = self._ids(submissions, answers)
        assert ids[0] == ids[3] == ids[4]
        assert ids[1] == ids[5]
        assert [type(answers[number]) for number in (3, 4, 5)] == [Replayed] * 3
        assert rig.queued() == sorted({*ids})

    def test_another_mail_under_the_same_key_in_one_batch_is_refused(self, rig):
        submissions = [keyed(), keyed(fingerprint="g"), keyed(client="shop")]
        answers = rig.outbox.submit(submissions)
        assert answers[1] is KeyConflict.REUSED
        ids = self._ids([submissions[0], submissions[2]], [answers[0], answers[2]])
        assert rig.queued() == sorted(ids)
        assert ids[0] != ids[1]

    def test_a_key_stands_for_one_mail(self, rig):
        first = keyed()
        assert rig.outbox.submit([first]) == [Kept()]
        assert rig.outbox.submit([keyed(), keyed(fingerprint="g"), keyed(client="shop")]) == [
            Replayed(first.mail.id),
            KeyConflict.REUSED,
            Kept(),
        ]
        # The first of those that come together is another's; the second is the very same.
        assert rig.outbox.submit([keyed(fingerprint="g"), keyed()]) == [
            KeyConflict.REUSED,
            Replayed(first.mail.id),
        ]
        assert len(rig.queued()) == 2

    def test_many_at_once_with_one_key_are_one_mail(self, rig):
        """No more than a pool has connections: whoever waited for one for long would be refused."""
        start = threading.Barrier(16)

        def submit(number: int) -> object:
            submissions = [keyed(f"k{n}") for n in range(3)]
            start.wait()
            return rig.outbox.submit(submissions[:: 1 if number % 2 else -1])

        with ThreadPoolExecutor(16) as pool:
            answers = [*itertools.chain.from_iterable(pool.map(submit, range(16)))]
        assert answers.count(Kept()) == 3
        others = {type(answer) for answer in answers if answer != Kept()}
        assert others <= {Replayed, KeyConflict}
        assert KeyConflict.REUSED not in answers
        assert len(rig.queued()) == 3

    @staticmethod
    def _ids(submissions: list[Submission], answers: list[object]) -> list[str]:
        """Return under which id each was kept."""
        ids = []
        for submission, answer in zip(submissions, answers, strict=True):
            match answer:
                case Kept():
                    ids.append(submission.mail.id)
                case KeptAs(mail_id) | Replayed(mail_id):
                    ids.append(mail_id)
                case _:
                    pytest.fail(f"not kept: {answer}")
        return ids


class RefusingQueue:
    """The part of a queue that an outbox needs, with a switch."""

    def __init__(self, queue: MailQueue, switch: Switch) -> None:
        self._queue = queue
        self._switch = switch

    def put(self, mails: list[Mail]) -> list[Kept | NotKept]:
        return self._queue.put(mails) if self._switch.on else [REFUSAL] * len(mails)
