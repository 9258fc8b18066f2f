"""One SQS queue as a channel of messages. SqsQueue and SqsDeadLetters share this code.

It knows nothing of mails. It sends, receives, hides and deletes messages in as few calls as SQS
allows, and returns a result for each message.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from limbo.adapters.sqs.client import BATCH, MAX_BYTES, error_code, is_in_doubt, sqs_errors
from limbo.adapters.sqs.messages import (
    Message,
    Outgoing,
    Refusal,
    lost_receipts,
    message_of,
    refusal_of,
    says_too_large,
)
from limbo.domain.errors import QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        SendMessageBatchRequestEntryTypeDef,
        SendMessageBatchResultTypeDef,
    )

_CALLS_AT_ONCE = 8
# For some defects of one entry, SQS refuses the whole batch.
_ENTRY_AT_FAULT = {"InvalidParameterValue", "InvalidMessageContents", "BatchRequestTooLong"}

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class SqsChannel:
    """Sends, receives, hides and deletes messages of one queue, in as few calls as SQS allows."""

    def __init__(self, client: "SQSClient", name_or_url: str) -> None:
        self._client = client
        self._name_or_url = name_or_url
        self._pool = ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="sqs")
        self.fifo = name_or_url.endswith(".fifo")

    @cached_property
    def url(self) -> str:
        """The queue's URL, requested at the first use, so that limbo starts while SQS is down."""
        if "://" in self._name_or_url:
            return self._name_or_url
        with sqs_errors():
            return self._client.get_queue_url(QueueName=self._name_or_url)["QueueUrl"]

    def send(self, messages: Sequence[Outgoing], spare: int = 0) -> list[Refusal | None]:
        """Send the messages. Return for each, in order, why it was refused, or None; never raise.

        A message is not sent if it leaves fewer than ``spare`` bytes below SQS's size limit.
        """
        sizes = [message.size for message in messages]
        refusals: dict[int, Refusal | None] = {
            index: Refusal("larger than SQS takes", too_large=True)
            for index, size in enumerate(sizes)
            if size > MAX_BYTES - spare
        }
        batches = list(_batches([i for i in range(len(messages)) if i not in refusals], sizes))
        refusals_by_batch = self._at_once(
            lambda batch: self._send([messages[i] for i in batch]), batches
        )
        for batch, of_batch in zip(batches, refusals_by_batch, strict=True):
            refusals |= zip(batch, of_batch, strict=True)
        return [refusals[index] for index in range(len(messages))]

    def receive(self, limit: int, *, wait: int, hidden_for: int) -> list[Message]:
        """Receive up to ``limit`` messages, hidden from others for ``hidden_for`` seconds.

        ``wait`` is how many seconds to wait for the first message, at most LONG_POLL. After the
        first ten messages, it takes only what is there at once.
        """
        receive = partial(self._receive, hidden_for=hidden_for)
        first = receive(min(limit, BATCH), wait)
        if len(first) < BATCH or limit == BATCH:
            return first

        def receive_more(count: int) -> list[Message]:
            try:
                return receive(count, 0)
            except QueueUnavailable:
                return []  # keep the messages that have come

        counts = [min(BATCH, limit - start) for start in range(BATCH, limit, BATCH)]
        return first + [m for more in self._at_once(receive_more, counts) for m in more]

    def delete(self, receipts: Sequence[str]) -> set[str]:
        """Delete messages. Return the receipts that were no longer valid."""

        def delete(batch: Sequence[str]) -> set[str]:
            with sqs_errors():
                result = self._client.delete_message_batch(
                    QueueUrl=self.url,
                    Entries=[{"Id": str(i), "ReceiptHandle": r} for i, r in enumerate(batch)],
                )
                return lost_receipts(batch, result)

        return set().union(*self._at_once(delete, _tens(receipts)))

    def change_visibility(self, receipts: Mapping[str, int]) -> set[str]:
        """Show messages again after their seconds. Return the receipts no longer valid."""

        def change(batch: Sequence[str]) -> set[str]:
            with sqs_errors():
                result = self._client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(i), "ReceiptHandle": r, "VisibilityTimeout": receipts[r]}
                        for i, r in enumerate(batch)
                    ],
                )
                return lost_receipts(batch, result)

        return set().union(*self._at_once(change, _tens(list(receipts))))

    def counts(self) -> tuple[int, int, int]:
        """Return how many messages are visible, hidden and delayed. The counts are approximate."""
        with sqs_errors():
            attributes = self._client.get_queue_attributes(
                QueueUrl=self.url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                    "ApproximateNumberOfMessagesDelayed",
                ],
            )["Attributes"]
            return (
                int(attributes["ApproximateNumberOfMessages"]),
                int(attributes["ApproximateNumberOfMessagesNotVisible"]),
                int(attributes["ApproximateNumberOfMessagesDelayed"]),
            )

    def check_send(self) -> None:
        """Raise QueueUnavailable if the queue would take no message of this account.

        A batch without messages is refused for just that, after the account's right to send.
        """
        try:
            with sqs_errors():
                self._client.send_message_batch(QueueUrl=self.url, Entries=[])
        except QueueUnavailable as error:
            cause = error.__cause__
            if not isinstance(cause, ClientError) or error_code(cause) != "EmptyBatchRequest":
                raise

    def _send(self, batch: Sequence[Outgoing]) -> Sequence[Refusal | None]:
        try:
            url = self.url
        except QueueUnavailable as error:
            return [Refusal(str(error))] * len(batch)
        try:
            with sqs_errors():
                result = self._client.send_message_batch(
                    QueueUrl=url,
                    Entries=[self._entry(str(i), message) for i, message in enumerate(batch)],
                )
                return _refusals(result, len(batch))
        except QueueUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and error_code(cause) in _ENTRY_AT_FAULT:
                if len(batch) > 1:
                    return [self._send([message])[0] for message in batch]
                return [Refusal(str(error), too_large=says_too_large(str(cause)))]
            return [Refusal(str(error), in_doubt=is_in_doubt(cause))] * len(batch)

    def _entry(self, id_: str, message: Outgoing) -> "SendMessageBatchRequestEntryTypeDef":
        entry: SendMessageBatchRequestEntryTypeDef = {
            "Id": id_,
            "MessageBody": message.body,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value}
                for name, value in message.attributes.items()
            },
        }
        if self.fifo:
            entry["MessageGroupId"] = message.group
            entry["MessageDeduplicationId"] = message.deduplication
        return entry

    def _receive(self, count: int, wait: int, hidden_for: int) -> list[Message]:
        with sqs_errors():
            result = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=count,
                WaitTimeSeconds=wait,
                VisibilityTimeout=hidden_for,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
            return [message_of(item) for item in result.get("Messages", ())]

    def _at_once(
        self, call: Callable[[_Item], _Result], items: Sequence[_Item]
    ) -> Sequence[_Result]:
        if len(items) > 1:
            return list(self._pool.map(call, items))
        return [call(item) for item in items]


def _refusals(result: "SendMessageBatchResultTypeDef", count: int) -> Sequence[Refusal | None]:
    """Return why SQS refused each message of a batch, or None for a message that was sent."""
    failed = {entry["Id"]: entry for entry in result.get("Failed", ())}
    sent = {entry["Id"] for entry in result.get("Successful", ())}
    return [None if id_ in sent else refusal_of(failed.get(id_)) for id_ in map(str, range(count))]


def _batches(indices: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Group messages so that each batch stays within the number and size of one call."""
    batch: list[int] = []
    for index in indices:
        if len(batch) == BATCH or sum(sizes[i] for i in batch) + sizes[index] > MAX_BYTES:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _tens(items: Sequence[_Item]) -> list[Sequence[_Item]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
