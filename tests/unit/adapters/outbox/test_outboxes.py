from collections.abc import Callable

import pytest

from limbo.adapters.encoding.codec import decode_mail, encode_mail
from limbo.adapters.memory.ledger import MemoryLedger
from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.outbox.ledger_first import LedgerFirstOutbox
from limbo.adapters.outbox.queue_only import QueueOutbox
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.errors import LedgerUnavailable
from limbo.ports.outbox import KeptAs, KeyConflict, Replayed
from limbo.ports.queue import Kept, NotKept
from tests.contracts.outbox import (
    OutboxContract,
    OutboxRig,
    RefusingQueue,
    Switch,
    keyed,
    plain,
)


class TestQueueOutbox(OutboxContract):
    deduplicates = False

    @pytest.fixture
    def new_rig(self) -> Callable[[], OutboxRig]:
        def new() -> OutboxRig:
            queue, switch = MemoryQueue(), Switch()
            outbox = QueueOutbox(RefusingQueue(queue, switch))
            return OutboxRig(outbox=outbox, queue=queue, switch=switch, ledger_reader=None)

        return new


class TestLedgerFirstOutbox(OutboxContract):
    @pytest.fixture
    def new_rig(self) -> Callable[[], OutboxRig]:
        def new() -> OutboxRig:
            queue, switch, ledger = MemoryQueue(), Switch(), MemoryLedger()
            outbox = LedgerFirstOutbox(RefusingQueue(queue, switch), ledger)
            return OutboxRig(outbox=outbox, queue=queue, switch=switch, ledger_reader=ledger)

        return new


def test_without_a_ledger_the_key_and_what_is_under_it_make_the_id():
    outbox = QueueOutbox(MemoryQueue())
    submissions = [
        keyed(),
        keyed(),
        keyed("l"),
        keyed(fingerprint="g"),
        keyed(client="shop"),
        keyed("\ud800"),
    ]
    ids = [outbox.submit([submission])[0].mail_id for submission in submissions]
    assert ids[0] == ids[1]
    assert len({*ids}) == 5
    for id_ in ids:
        assert id_[14] == "8"
        mail = keyed(id=id_).mail
        assert decode_mail(encode_mail(mail), "") == mail


class Recorder(MemoryLedger):
    """A ledger that can be down, at one step of a submission or the other."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now=now)
        self.down: set[str] = set()

    def reserve(self, submissions):
        self._check("reserve")
        return super().reserve(submissions)

    def conclude(self, *, kept, refused):
        self._check("conclude")
        super().conclude(kept=kept, refused=refused)

    def _check(self, step: str) -> None:
        if step in self.down:
            raise LedgerUnavailable("down")


@pytest.fixture
def clock() -> list[float]:
    return [1_700_000_000.0]


@pytest.fixture
def ledger(clock: list[float]) -> Recorder:
    return Recorder(lambda: clock[0])


def test_without_the_ledger_nothing_is_put(ledger):
    queue = MemoryQueue()
    ledger.down = {"reserve"}
    answers = LedgerFirstOutbox(queue, ledger).submit([plain(), keyed()])
    assert answers == [NotKept(reason="down")] * 2
    assert queue.receive(10, 0) == []


def test_what_the_queue_has_is_kept_even_if_the_ledger_did_not_hear_so(ledger):
    outbox = LedgerFirstOutbox(MemoryQueue(), ledger)
    ledger.down = {"conclude"}
    submission = plain()
    assert outbox.submit([submission]) == [Kept()]
    assert ledger.find(submission.mail.id, None).status is Status.SUBMITTING


@pytest.mark.parametrize("was_put", [True, False])
def test_a_retry_after_a_kill_is_put_under_the_same_id(clock, ledger, was_put):
    queue, switch = MemoryQueue(), Switch(on=was_put)
    outbox = LedgerFirstOutbox(RefusingQueue(queue, switch), ledger)
    ledger.down = {"conclude"}
    first = keyed()
    outbox.submit([first])
    ledger.down.clear()
    switch.on = True
    assert outbox.submit([keyed()]) == [KeyConflict.UNDER_WAY]
    clock[0] += 61
    assert outbox.submit([keyed(), keyed()]) == [KeptAs(first.mail.id), Replayed(first.mail.id)]
    ids = [lease.mail.id for lease in queue.receive(10, 0)]
    assert ids == [first.mail.id] * (1 + was_put)
    assert ledger.find(first.mail.id, None).status is Status.QUEUED


def test_what_is_in_doubt_keeps_its_key_and_a_retry_is_the_same_mail(clock, ledger):
    in_doubt = NotKept(reason="cut off", in_doubt=True)
    queue = MemoryQueue()

    class CutOff:
        def put(self, mails):
            queue.put(mails)
            return [in_doubt] * len(mails)

    first = keyed()
    assert LedgerFirstOutbox(CutOff(), ledger).submit([first, keyed()]) == [in_doubt] * 2
    assert ledger.find(first.mail.id, None).status is Status.SUBMITTING
    outbox = LedgerFirstOutbox(queue, ledger)
    assert outbox.submit([keyed()]) == [KeyConflict.UNDER_WAY]
    clock[0] += 61
    assert outbox.submit([keyed()]) == [KeptAs(first.mail.id)]


def test_one_batch_may_be_kept_in_part(ledger):
    class Half:
        def put(self, mails):
            return [Kept() if number % 2 else NotKept(reason="no") for number in range(len(mails))]

    submissions = [plain(), keyed("a"), keyed("b"), plain()]
    answers = LedgerFirstOutbox(Half(), ledger).submit(submissions)
    assert answers == [NotKept(reason="no"), Kept()] * 2
    statuses = [ledger.find(s.mail.id, None).status for s in submissions]
    assert statuses == [Status.REFUSED, Status.QUEUED] * 2
