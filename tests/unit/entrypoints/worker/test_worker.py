"""The worker over the queue in memory and fakes: what becomes of mails and of the worker."""

import gc
import threading

import pytest

from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.providers.fake.sender import FakeScript, FakeSender, parse_script
from limbo.domain.delivery.breaker import BreakerPolicy, BreakerState
from limbo.domain.delivery.retry import RetryPolicy
from limbo.domain.delivery.verdict import Accepted
from limbo.ports.queue import Lease, Undecodable
from tests.support.clock import Clock, FastClock
from tests.support.cut_off import CutQueue
from tests.support.mails import a_mail
from tests.support.working import until, working

AT_ONCE = RetryPolicy(delays=(0.0,))


class GateSender:
    """Accepts when the gate is opened, and knows how many wait at it."""

    def __init__(self, name: str = "gate") -> None:
        self.name = name
        self.gate = threading.Event()
        self.waiting = 0
        self.sent: list[str] = []
        self._lock = threading.Lock()

    def send(self, mail):
        with self._lock:
            self.waiting += 1
        self.gate.wait(60)
        with self._lock:
            self.waiting -= 1
            self.sent.append(mail.id)
        return FakeSender("x").send(mail)

    def check(self):
        return None


class FlakyQueue(CutQueue):
    """A real queue that can be cut off, and never waits long for a mail."""

    acks = 0

    def receive(self, limit, wait):
        return super().receive(limit, min(wait, 0.05))

    def ack(self, leases):
        self.acks += 1
        return super().ack(leases)


def fakes(script: str = "") -> list[FakeSender]:
    shared = FakeScript(parse_script(script))
    return [FakeSender("fake.a", shared), FakeSender("fake.b", shared)]


def sent_ids(senders) -> list[str]:
    return [mail.id for sender in senders for mail in sender.accepted]


@pytest.fixture
def queue():
    return MemoryQueue()


def let_it_look_again(clock: Clock) -> None:
    """Wait until a worker without room has looked for some three times more, in vain."""
    for _ in range(3):
        until(lambda: clock.is_waited_for(1))
        clock.elapse(1)
    until(lambda: clock.is_waited_for(1))


def is_empty(queue) -> bool:
    depth = queue.depth()
    return depth.ready + depth.in_flight + depth.deferred == 0


def test_every_mail_is_sent_once_and_the_queue_is_empty(queue):
    mails = [a_mail() for _ in range(200)]
    queue.put(mails)
    senders = fakes()
    with working(queue, senders) as worker:
        until(lambda: is_empty(queue))
    assert sorted(sent_ids(senders)) == sorted(mail.id for mail in mails)
    assert worker.count("limbo_mails_settled_total", outcome="sent") == 200
    assert worker.settled_all


class ForgetfulSender:
    """Accepts whatever it is given, and keeps nothing."""

    name = "forgetful"

    def send(self, _):
        return Accepted(provider_id="1")

    def check(self):
        return None


def test_a_worker_that_waits_keeps_no_mail_in_memory(queue):
    ids = {mail.id for mail in queue_with(queue, 100)}
    with working(queue, [ForgetfulSender()]) as worker:
        until(lambda: worker.count("limbo_mails_settled_total", outcome="sent") == len(ids))
        until(lambda: not ids & {each.mail.id for each in gc.get_objects() if is_lease(each)})


def is_lease(value):
    return isinstance(value, Lease)


def queue_with(queue, count):
    mails = [a_mail() for _ in range(count)]
    queue.put(mails)
    return mails


def test_a_mail_fails_over_from_one_provider_to_the_next(queue):
    queue.put([a_mail(to="outage+ok@limbo.test")])
    senders = fakes()
    with working(queue, senders) as worker:
        until(lambda: is_empty(queue))
    outcomes = [
        worker.count("limbo_send_attempts_total", sender=name, outcome=outcome)
        for name in ("fake.a", "fake.b")
        for outcome in ("outage", "accepted")
    ]
    assert outcomes in ([1, 0, 0, 1], [0, 1, 1, 0])


def test_a_mail_to_blame_is_dead_at_once_with_the_reason(queue):
    mail = a_mail(to="reject@limbo.test")
    queue.put([mail])
    with working(queue, fakes()):
        until(lambda: is_empty(queue))
    (letter,) = queue.dead_letters.list(10)
    assert (letter.mail_id, letter.cause.kind) == (mail.id, "mail")
    assert len(letter.attempts) == 1


def test_three_failed_touches_among_healthy_mails_end_in_the_dead_letters(queue):
    queue.put([a_mail() for _ in range(200)])
    with working(queue, fakes(), retry=AT_ONCE) as worker:
        until(lambda: is_empty(queue))
        queue.put([a_mail(to="outage@limbo.test")])
        until(lambda: is_empty(queue))
    (letter,) = queue.dead_letters.list(10)
    assert letter.cause.kind == "outage"
    assert worker.count("limbo_mails_settled_total", outcome="deferred") == 2


def test_a_body_that_cannot_be_decoded_is_buried_and_the_rest_is_sent(queue):
    queue.put([Undecodable("poison", "not JSON"), a_mail(), a_mail()])
    senders = fakes()
    with working(queue, senders):
        until(lambda: is_empty(queue))
    (letter,) = queue.dead_letters.list(10)
    assert letter.cause.kind == "undecodable"
    assert len(sent_ids(senders)) == 2


def test_an_answer_that_never_came_marks_the_mail_and_stops_the_touch(queue):
    queue.put([a_mail(to="unknown@limbo.test")])
    with working(queue, fakes(), retry=AT_ONCE) as worker:
        until(lambda: is_empty(queue))
    (letter,) = queue.dead_letters.list(10)
    assert letter.possible_duplicate
    calls = sum(
        worker.count("limbo_send_attempts_total", sender=name, outcome="unknown")
        for name in ("fake.a", "fake.b")
    )
    assert calls == 3, "one provider a touch"


def test_no_more_is_received_than_there_are_free_slots(queue):
    clock = Clock()
    queue.put([a_mail() for _ in range(20)])
    sender = GateSender()
    with working(queue, [sender], concurrency=4, clock=clock):
        until(lambda: sender.waiting == 4)
        let_it_look_again(clock)
        assert queue.depth().in_flight == 4
        sender.gate.set()
        until(lambda: is_empty(queue))
    assert len(sender.sent) == 20


def test_a_revoked_key_opens_the_breaker_and_kills_no_mail(queue):
    clock = Clock()
    queue.put([a_mail() for _ in range(50)])
    sender = FakeSender("fake", FakeScript(parse_script("account*1000")))
    with working(queue, [sender], concurrency=4, clock=clock) as worker:
        until(lambda: worker.dispatcher.states()["fake"] is BreakerState.OPEN)
        until(lambda: queue.depth().in_flight == 0)
        let_it_look_again(clock)
        assert worker.count("limbo_breaker_state", sender="fake") == 2
        assert worker.count("limbo_send_attempts_total", sender="fake", outcome="account") <= 4
        assert queue.depth().dead == {}
        depth = queue.depth()
        assert depth.ready >= 40, "a paused worker leaves the mails in the queue"


def test_while_all_breakers_are_open_only_probes_are_received():
    clock = FastClock(100)
    queue = MemoryQueue(lease_seconds=6000, now=clock.now)
    queue.put([a_mail() for _ in range(100)])
    sender = FakeSender("fake", FakeScript(parse_script("outage*30, ok")))
    policy = BreakerPolicy(open_seconds=1, open_max_seconds=2)
    retry = RetryPolicy(delays=(0.5,))
    with working(
        queue,
        [sender],
        concurrency=4,
        lease_seconds=6000,
        breaker=policy,
        retry=retry,
        clock=clock,
    ) as worker:
        until(lambda: is_empty(queue))
    assert queue.depth().dead == {}
    assert len(sender.accepted) == 100
    assert worker.count("limbo_breaker_state", sender="fake") == 0


def test_a_lease_is_extended_while_its_send_runs():
    clock = Clock()
    queue = MemoryQueue(lease_seconds=60, now=clock.now)
    queue.put([a_mail()])
    sender = GateSender()
    with working(queue, [sender], clock=clock):
        until(lambda: sender.waiting == 1)
        for _ in range(9):
            until(lambda: clock.is_waited_for(20))
            clock.elapse(20)
        until(lambda: clock.is_waited_for(20))
        assert queue.receive(1, 0) == []
        sender.gate.set()
        until(lambda: is_empty(queue))
    assert len(sender.sent) == 1


def test_a_lost_lease_starts_no_further_provider():
    clock = Clock()
    queue = FlakyQueue(lease_seconds=60, now=clock.now)
    queue.put([a_mail(to="outage@limbo.test")])

    class Slow(FakeSender):
        def send(self, mail):
            queue.down = True  # no heartbeat gets through
            clock.elapse(61)
            return super().send(mail)

    script = FakeScript()
    senders = [Slow("fake.a", script), Slow("fake.b", script)]
    with working(queue, senders, clock=clock, concurrency=1) as worker:
        until(lambda: worker.count("limbo_mails_settled_total", outcome="lease_lost") == 1)
        attempts = sum(
            worker.count("limbo_send_attempts_total", sender=name, outcome="outage")
            for name in ("fake.a", "fake.b")
        )
        assert attempts == 1


def test_an_outage_of_the_queue_after_a_send_does_not_end_in_a_second_send():
    clock = Clock()
    queue = FlakyQueue()
    queue.put([a_mail()])
    sender = GateSender()
    with working(queue, [sender], clock=clock):
        until(lambda: sender.waiting == 1)
        queue.down = True
        sender.gate.set()
        until(lambda: queue.acks == 1)
        assert not is_empty(queue)
        queue.down = False
        clock.elapse(5)
        until(lambda: is_empty(queue))
    assert len(sender.sent) == 1


def test_a_stop_finishes_what_was_started_and_leaves_the_rest_ready(queue):
    clock = Clock()
    queue.put([a_mail() for _ in range(10)])
    sender = GateSender()
    with working(queue, [sender], concurrency=4, shutdown_seconds=25, clock=clock) as worker:
        until(lambda: sender.waiting == 4)
        worker.worker.stop()
        until(lambda: clock.is_waited_for(25))
        sender.gate.set()
        worker.stop()
    assert worker.settled_all
    assert len(sender.sent) == 4
    depth = queue.depth()
    assert (depth.ready, depth.in_flight) == (6, 0)


def test_a_stop_leaves_leased_what_does_not_finish_in_time(queue, capsys):
    clock = Clock()
    queue.put([a_mail()])
    sender = GateSender()
    with working(queue, [sender], shutdown_seconds=25, clock=clock) as worker:
        until(lambda: sender.waiting == 1)
        worker.worker.stop()
        until(lambda: clock.is_waited_for(25))
        clock.elapse(25)
        worker.stop()
        assert not worker.settled_all
        assert queue.depth().in_flight == 1
        sender.gate.set()
        until(lambda: "mail sent" in capsys.readouterr().out)  # not amid another test


def test_a_mail_of_a_newer_limbo_is_left_in_the_queue(queue):
    queue.put([a_mail(version=99)])
    senders = fakes()
    with working(queue, senders) as worker:
        until(lambda: worker.count("limbo_mails_settled_total", outcome="newer") == 1)
    assert sent_ids(senders) == []
    assert queue.depth().deferred == 1


class LatchedQueue(MemoryQueue):
    """A real queue whose receive, once told to, answers only when it is let."""

    def __init__(self):
        super().__init__()
        self.asked, self.answer = threading.Event(), threading.Event()

    def receive(self, limit, wait):
        self.asked.set()
        self.answer.wait(60)
        return super().receive(limit, wait)


def test_a_stop_gives_back_at_once_what_was_received_and_not_started():
    queue, senders = LatchedQueue(), fakes()
    queue.put([a_mail() for _ in range(5)])
    with working(queue, senders, concurrency=3, shutdown_seconds=25) as worker:
        until(queue.asked.is_set)
        worker.worker.stop()
        queue.answer.set()
        worker.stop()
    depth = queue.depth()
    assert (depth.ready, depth.in_flight, depth.deferred) == (5, 0, 0)
    assert sent_ids(senders) == []
    assert [lease.touches for lease in queue.receive(5, 0)] == [0] * 5


class CountingQueue(MemoryQueue):
    """A real queue that counts the leases it has given."""

    given = 0

    def receive(self, limit, wait):
        leases = super().receive(limit, wait)
        self.given += len(leases)
        return leases


def test_a_clock_set_forward_amid_sends_makes_no_worker_send_twice():
    wall = Clock()
    queue, sender = CountingQueue(lease_seconds=60, now=wall.now), GateSender()
    queue.put([a_mail() for _ in range(3)])
    with working(queue, [sender], concurrency=8):
        until(lambda: sender.waiting == 3)
        wall.elapse(3600)
        until(lambda: queue.given == 6)
        sender.gate.set()
        until(lambda: is_empty(queue))
    assert len(sender.sent) == 3


def test_what_this_worker_has_sent_it_acknowledges_and_does_not_send_again():
    clock = Clock()
    queue, sender = FlakyQueue(lease_seconds=60, now=clock.now), GateSender()
    queue.put([a_mail()])
    with working(queue, [sender], clock=clock) as worker:
        until(lambda: sender.waiting == 1)
        queue.down = True  # for longer than the lease
        sender.gate.set()
        until(lambda: queue.acks == 1)
        clock.elapse(100)
        queue.down = False
        for _ in range(50):
            if is_empty(queue):
                break
            clock.elapse(5)
            until(lambda: is_empty(queue) or clock.is_waited_for(20))
        until(lambda: is_empty(queue))
        assert worker.count("limbo_mails_settled_total", outcome="sent") == 1
    assert len(sender.sent) == 1


def test_a_queue_that_is_back_is_logged_once(capsys):
    clock, queue = Clock(), FlakyQueue()
    queue.down = True
    with working(queue, fakes(), clock=clock):
        for seconds in (0.5, 1.0):
            until(lambda seconds=seconds: clock.is_waited_for(seconds))
            clock.elapse(seconds)
        until(lambda: clock.is_waited_for(2.0))
        queue.down = False
        clock.elapse(2)
        queue.put([a_mail()])
        until(lambda: is_empty(queue))
    said = capsys.readouterr().out
    assert said.count("queue unavailable") == 3
    assert said.count("queue available again") == 1


class BrokenQueue(MemoryQueue):
    """A real queue in memory that has a defect for as long as ``defect`` names its method."""

    defect: str | None = None
    broken_ids: frozenset[str] = frozenset()

    def receive(self, limit, wait):
        self._break("receive")
        return super().receive(limit, min(wait, 0.05))

    def ack(self, leases):
        if self.broken_ids & {lease.mail.id for lease in leases}:
            raise KeyError("QueueUrl")
        return super().ack(leases)

    def extend(self, leases):
        self._break("extend")
        return super().extend(leases)

    def _break(self, method):
        if self.defect == method:
            raise KeyError("QueueUrl")


def test_a_defect_met_with_one_mail_holds_up_no_other():
    queue = BrokenQueue()
    mails = [a_mail() for _ in range(50)]
    queue.broken_ids = frozenset({mails[7].id})
    queue.put(mails)
    with working(queue, fakes()) as worker:
        until(lambda: worker.count("limbo_mails_settled_total", outcome="sent") == 50)
        until(lambda: queue.depth().in_flight == 1)


def test_a_worker_outlives_a_defect_of_its_receive():
    clock = Clock()
    queue = BrokenQueue()
    queue.defect = "receive"
    queue.put([a_mail()])
    senders = fakes()
    with working(queue, senders, clock=clock):
        until(lambda: clock.is_waited_for(0.5))
        queue.defect = None
        clock.elapse(0.5)
        until(lambda: is_empty(queue))
    assert len(sent_ids(senders)) == 1


def test_leases_are_extended_again_after_a_defect():
    clock = Clock()
    queue = BrokenQueue(lease_seconds=60, now=clock.now)
    queue.put([a_mail()])
    sender = GateSender()
    queue.defect = "extend"
    with working(queue, [sender], clock=clock):
        until(lambda: sender.waiting == 1)
        for defect in ("extend", None, None, None):
            until(lambda: clock.is_waited_for(20))
            queue.defect = defect
            clock.elapse(20)
        until(lambda: clock.is_waited_for(20))
        assert queue.receive(1, 0) == []
        sender.gate.set()
        until(lambda: is_empty(queue))
    assert len(sender.sent) == 1


def test_the_time_for_a_stop_counts_from_the_signal(queue, capsys):
    clock = Clock()
    queue.put([a_mail()])
    sender = GateSender()
    with working(queue, [sender], clock=clock, shutdown_seconds=25) as worker:
        until(lambda: sender.waiting == 1)
        clock.elapse(100)
        worker.worker.stop()
        until(lambda: clock.is_waited_for(25))
        clock.elapse(10)
        worker.worker.stop()
        assert worker.thread.is_alive()
        clock.elapse(15)
        worker.thread.join(30)
        assert not worker.thread.is_alive()
        sender.gate.set()
        until(lambda: "mail sent" in capsys.readouterr().out)  # not amid another test
