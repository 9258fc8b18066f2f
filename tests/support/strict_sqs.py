"""moto's SQS, made as strict as AWS where it is laxer."""

import threading
import time
from collections.abc import Callable

import moto.sqs.models as moto_sqs
import pytest
from moto.sqs.exceptions import ReceiptHandleIsInvalid

# An empty queue is found empty sooner than by SQS: processes that stop wait for that answer.
_LONGEST_WAIT = 1.5


def make_strict(patch: pytest.MonkeyPatch, now: Callable[[], float]) -> None:
    """Have moto behave like AWS, by that clock."""
    patch.setattr(moto_sqs, "unix_time", now)
    patch.setattr(moto_sqs, "unix_time_millis", lambda: now() * 1000)
    patch.setattr(moto_sqs, "Queue", StrictQueue)
    patch.setattr(moto_sqs.SQSBackend, "receive_message", _atomic_receive())


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
        until = time.monotonic() + min(wait, _LONGEST_WAIT)
        while True:
            with lock:
                messages = receive(self, queue_name, count, 0, *args)
            left = until - time.monotonic()
            if messages or left <= 0:
                return messages
            self.get_queue(queue_name).wait_for_messages(min(left, 0.1))

    return receive_message
