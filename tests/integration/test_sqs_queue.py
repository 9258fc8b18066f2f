from collections.abc import Callable

import pytest
from hypothesis import settings

from limbo.adapters.sqs_dead_letters import SqsDeadLetters
from limbo.adapters.sqs_queue import SqsQueue
from tests.contracts.queue import QueueContract, Rig
from tests.support.moto import Aws


class SqsContract(QueueContract):
    fifo: bool
    dead_fifo: bool
    counts_touches = False
    tells_delayed = False
    tells_age = False
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
                    aws.sqs, url, dead_url, lease_seconds=self.lease_seconds, now=aws.now
                ),
                dead_letters=SqsDeadLetters(aws.sqs, url, dead_url, patience=0),
                elapse=aws.elapse,
                plant=plant,
                now=aws.now,
            )

        return new


class TestSqsStandardQueue(SqsContract):
    fifo = dead_fifo = False


class TestSqsFifoQueue(SqsContract):
    fifo = dead_fifo = True
