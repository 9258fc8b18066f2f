"""AWS on this machine: moto's HTTP server, where moto is laxer than AWS made as strict as AWS."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import boto3
import moto.sqs.models as moto_sqs
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from mypy_boto3_sqs import SQSClient

_names = itertools.count(1)


@dataclass
class Aws:
    """A running server, its clock, and a client for SQS."""

    url: str
    sqs: SQSClient
    ahead: float = field(default=0.0)

    def now(self) -> float:
        return time.time() + self.ahead

    def elapse(self, seconds: float) -> None:
        """Let time pass for SQS in an instant."""
        self.ahead += seconds

    def queue(self, *, fifo: bool, **attributes: str) -> str:
        """Create a queue of a new name and return its URL."""
        if fifo:
            attributes["FifoQueue"] = "true"
        name = f"limbo-{next(_names)}{'.fifo' if fifo else ''}"
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.session.Session().client(
        "sqs",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(max_pool_connections=32, retries={"total_max_attempts": 1}),
    )
    running = Aws(url, client)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moto_sqs, "unix_time", running.now)
        patch.setattr(moto_sqs, "unix_time_millis", lambda: running.now() * 1000)
        patch.setattr(moto_sqs, "Queue", StrictQueue)
        patch.setattr(moto_sqs.SQSBackend, "receive_message", _atomic_receive())
        yield running
    client.close()
    server.stop()


class StrictQueue(moto_sqs.Queue):
    """FIFO as documented: deleted messages still deduplicate, and receipts expire."""

    def add_message(self, message: moto_sqs.Message) -> None:
        seen = self.__dict__.setdefault("seen", {})
        sent_at = moto_sqs.unix_time()
        if self.fifo_queue and sent_at - seen.get(message.deduplication_id, 0) < 300:
            return
        seen[message.deduplication_id] = sent_at
        super().add_message(message)

    def delete_message(self, receipt_handle: str) -> None:
        # moto copies the list without what is deleted: of two threads at once, one undoes the other
        with self._messages_lock:
            for message in self._messages if self.fifo_queue else ():
                if message.had_receipt_handle(receipt_handle) and (
                    message.visible or message.receipt_handle != receipt_handle
                ):
                    raise ReceiptHandleIsInvalid
            super().delete_message(receipt_handle)


def _atomic_receive() -> Callable[..., list[moto_sqs.Message]]:
    """Return a ``receive_message`` that never gives one message to two callers."""
    receive = moto_sqs.SQSBackend.receive_message
    lock = threading.Lock()

    def receive_message(
        self: moto_sqs.SQSBackend, queue_name: str, count: int, wait: int, *args: object
    ) -> list[moto_sqs.Message]:
        until = time.monotonic() + wait
        while True:
            with lock:
                messages = receive(self, queue_name, count, 0, *args)
            left = until - time.monotonic()
            if messages or left <= 0:
                return messages
            self.get_queue(queue_name).wait_for_messages(min(left, 0.1))

    return receive_message
