from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from limbo.adapters.encoding.mail_codec import PLAIN
from limbo.adapters.sqs.dead_letters import SqsDeadLetters
from limbo.adapters.sqs.queue import SqsQueue
from tests.contracts.queue import QueueContract, Rig, take_one
from tests.contracts.queue_machine import DEATH, QueueMachine
from tests.support.body_keys import a_codec
from tests.support.mails import a_mail
from tests.support.moto import Aws


class SqsContract(QueueContract):
    fifo: bool
    dead_fifo: bool
    knows_duplicates = False
    tells_deferred = False
    tells_age = False
    codec = PLAIN
    purges_dead_letters = False
    wakes_within = 0.5
    machine_settings = settings(max_examples=5, stateful_step_count=30, deadline=None)

    @pytest.fixture
    def new_rig(self, aws: Aws) -> Callable[[], Rig]:
        def new() -> Rig:
            url = aws.queue(fifo=self.fifo)
            dead_url = aws.queue(fifo=self.dead_fifo)

            def plant(body: str) -> None:
                fifo = {"MessageGroupId": "x", "MessageDeduplicationId": "x"} if self.fifo else {}
                aws.sqs.send_message(QueueUrl=url, MessageBody=body, **fifo)

            return Rig(
                queue=SqsQueue(
                    aws.sqs,
                    url,
                    dead_url,
                    lease_seconds=self.lease_seconds,
                    now=aws.now,
                    codec=self.codec,
                ),
                dead_letters=SqsDeadLetters(aws.sqs, url, dead_url, patience=0, codec=self.codec),
                elapse=aws.elapse,
                plant=plant,
                now=aws.now,
            )

        return new


class LateAckMachine(QueueMachine):
    """A standard queue takes an old receipt: the mail is gone for whoever has it now."""

    @precondition(lambda self: self._taken_over())
    @rule(index=st.integers(0, 1000))
    def settle_another_s_mail(self, index: int) -> None:
        taken_over = self._taken_over()
        lease = taken_over[index % len(taken_over)]
        assert self.rig.queue.extend([lease]) == [lease]
        self.rig.queue.release(lease, 0)
        self.rig.queue.bury(lease, DEATH)
        assert self.rig.queue.ack([lease]) == [lease]
        if lease.message_id == self.leased[lease.mail.id].message_id:  # not redriven since
            del self.leased[lease.mail.id]


class TestSqsStandardQueue(SqsContract):
    fifo = dead_fifo = False

    def test_loses_and_invents_nothing_whatever_is_called(self, new_rig):
        run_state_machine_as_test(
            lambda: LateAckMachine(new_rig(), self.lease_seconds), settings=self.machine_settings
        )

    def test_a_mail_acknowledged_late_that_nobody_has_is_gone(self, queue, elapse):
        queue.put([a_mail()])
        lease = take_one(queue)
        elapse(self.lease_seconds * 1.2)
        assert queue.ack([lease]) == [lease]
        assert queue.receive(10, 0) == []

    def test_a_mail_acknowledged_late_is_gone_for_whoever_has_it(self, queue, elapse, lost):
        old, new = lost
        assert queue.ack([old]) == [old]
        elapse(self.lease_seconds * 1.2)
        assert queue.receive(10, 0) == []
        assert queue.ack([new]) == [new]


class TestSqsFifoQueue(SqsContract):
    fifo = dead_fifo = True


class TestSealedSqsFifoQueue(TestSqsFifoQueue):
    codec = a_codec("k1")
    # The queue is the one above: no sequence of calls is other for what is sealed.
    machine_settings = settings(TestSqsFifoQueue.machine_settings, max_examples=2)
