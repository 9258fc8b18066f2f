"""One SQS queue as a channel of messages: what SqsQueue and SqsDeadLetters share.

It knows nothing of mails: only how to send, receive, hide and delete messages in as few calls as
SQS allows, with an answer for each.
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
# Some defects of one entry are answered for the whole batch.
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
        """The queue's URL, asked for at the first use, so that limbo starts while SQS is down."""
        if "://" in self._name_or_url:
            return self._name_or_url
        with sqs_errors():
            return self._client.get_queue_url(QueueName=self._name_or_url)["QueueUrl"]

    def send(self, messages: Sequence[Outgoing], spare: int = 0) -> list[Refusal | None]:
        """Send the messages, and say of each, in order, why it was refused; never raises.

        What leaves fewer than ``spare`` bytes of the greatest size free is not sent.
        """
        sizes = [message.size for message in messages]
        refusals: dict[int, Refusal | None] = {
            index: Refusal("larger than SQS takes", too_large=True)
            for index, size in enumerate(sizes)
            if size > MAX_BYTES - spare
        }
        batches = list(_batches([i for i in range(len(messages)) if i not in refusals], sizes))
        answers = self._at_once(lambda batch: self._send([messages[i] for i in batch]), batches)
        for batch, answer in zip(batches, answers, strict=True):
            refusals |= zip(batch, answer, strict=True)
        return [refusals[index] for index in range(len(messages))]

    def receive(self, limit: int, *, wait: int, hidden_for: int) -> list[Message]:
        """Receive up to ``limit`` messages, hidden from others for ``hidden_for`` seconds.

        ``wait`` is at most LONG_POLL seconds for the first one. Beyond the first ten, what comes
        at once is taken.
        """
        receive = partial(self._receive, hidden_for=hidden_for)
        first = receive(min(limit, BATCH), wait)
        if len(first) < BATCH or limit == BATCH:
            return first

        def receive_more(count: int) -> list[Message]:
            try:
                return receive(count, 0)
            except QueueUnavailable:
                return []  # what came is not given up for what did not

        counts = [min(BATCH, limit - start) for start in range(BATCH, limit, BATCH)]
        return first + [m for more in self._at_once(receive_more, counts) for m in more]

    def delete(self, receipts: Sequence[str]) -> set[str]:
        """Delete messages; return the receipts that were no longer good."""

        def delete(batch: Sequence[str]) -> set[str]:
            with sqs_errors():
                answer = self._client.delete_message_batch(
                    QueueUrl=self.url,
                    Entries=[{"Id": str(i), "ReceiptHandle": r} for i, r in enumerate(batch)],
                )
                return lost_receipts(batch, answer)

        return set().union(*self._at_once(delete, _tens(receipts)))

    def change_visibility(self, receipts: Mapping[str, int]) -> set[str]:
        """Show messages again after their seconds; return the receipts that were no longer good."""

        def change(batch: Sequence[str]) -> set[str]:
            with sqs_errors():
                answer = self._client.change_message_visibility_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(i), "ReceiptHandle": r, "VisibilityTimeout": receipts[r]}
                        for i, r in enumerate(batch)
                    ],
                )
                return lost_receipts(batch, answer)

        return set().union(*self._at_once(change, _tens(list(receipts))))

    def counts(self) -> tuple[int, int, int]:
        """Return how many messages are visible, hidden and delayed; each is approximate."""
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

    def _send(self, batch: Sequence[Outgoing]) -> Sequence[Refusal | None]:
        try:
            url = self.url
        except QueueUnavailable as error:
            return [Refusal(str(error))] * len(batch)
        try:
            with sqs_errors():
                answer = self._client.send_message_batch(
                    QueueUrl=url,
                    Entries=[self._entry(str(i), message) for i, message in enumerate(batch)],
                )
                return _answers(answer, len(batch))
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
            answer = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=count,
                WaitTimeSeconds=wait,
                VisibilityTimeout=hidden_for,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
            return [message_of(item) for item in answer.get("Messages", ())]

    def _at_once(
        self, call: Callable[[_Item], _Result], items: Sequence[_Item]
    ) -> Sequence[_Result]:
        if len(items) > 1:
            return list(self._pool.map(call, items))
        return [call(item) for item in items]


def _answers(answer: "SendMessageBatchResultTypeDef", count: int) -> Sequence[Refusal | None]:
    """Read what SQS says of each message of a batch, None for one that was sent."""
    failed = {entry["Id"]: entry for entry in answer.get("Failed", ())}
    sent = {entry["Id"] for entry in answer.get("Successful", ())}
    return [None if id_ in sent else refusal_of(failed.get(id_)) for id_ in map(str, range(count))]


def _batches(indices: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Group messages so that neither their number nor their bytes are more than a call takes."""
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
