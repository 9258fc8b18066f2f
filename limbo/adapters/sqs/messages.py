"""SQS's messages as limbo's types: what is sent, what is received, and each one's result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from limbo.domain.errors import QueueUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        ChangeMessageVisibilityBatchResultTypeDef,
        DeleteMessageBatchResultTypeDef,
        MessageTypeDef,
    )

    _BatchResult = DeleteMessageBatchResultTypeDef | ChangeMessageVisibilityBatchResultTypeDef

# The receipt is unknown, older than the message's last receive, or expired.
_LOST = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"}
_TOO_LARGE = "must be shorter than"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as received. ``sent_at`` is in seconds since the epoch."""

    id: str
    receipt: str
    body: str = field(repr=False)
    attributes: Mapping[str, str] = field(repr=False)
    receive_count: int
    sent_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to send. Only FIFO queues use ``group`` and ``deduplication``."""

    body: str = field(repr=False)
    group: str
    deduplication: str
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """The size in bytes, as SQS counts it."""
        attributes = sum(
            len(name) + len("String") + len(value.encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + attributes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message was not sent. ``too_large`` means that it can never be sent.

    ``in_doubt`` means that SQS may have it after all.
    """

    reason: str
    too_large: bool = False
    in_doubt: bool = False


def lost_receipts(receipts: Sequence[str], result: "_BatchResult") -> set[str]:
    """Return the receipts of a batch that are no longer valid.

    Raises QueueUnavailable if anything else failed, or if SQS left out a message.
    """
    done = {entry["Id"] for entry in result.get("Successful", ())}
    lost: set[str] = set()
    for entry in result.get("Failed", ()):
        if (code := entry["Code"].rpartition(".")[2]) not in _LOST:
            msg = f"SQS answered {code}"
            raise QueueUnavailable(msg)
        lost.add(entry["Id"])
    by_id = {str(index): receipt for index, receipt in enumerate(receipts)}
    if not by_id.keys() <= done | lost:
        msg = "SQS did not say of each message whether it did as told"
        raise QueueUnavailable(msg)
    return {receipt for id_, receipt in by_id.items() if id_ in lost}


def says_too_large(text: str) -> bool:
    """Tell whether SQS says that a message is too large."""
    return _TOO_LARGE in text


def refusal_of(entry: "BatchResultErrorEntryTypeDef | None") -> Refusal:
    """Read the ``Failed`` entry of a message that is not among the ``Successful``."""
    if entry is None:
        return Refusal("SQS did not say whether it has the message", in_doubt=True)
    code = entry["Code"].rpartition(".")[2]
    return Refusal(f"SQS answered {code}", too_large=says_too_large(entry.get("Message", "")))


def message_of(item: "MessageTypeDef") -> Message:
    """Read one message from the result of a receive."""
    system = item.get("Attributes", {})
    return Message(
        id=item["MessageId"],
        receipt=item["ReceiptHandle"],
        body=item["Body"],
        attributes={
            name: value["StringValue"]
            for name, value in item.get("MessageAttributes", {}).items()
            if "StringValue" in value
        },
        receive_count=int(system.get("ApproximateReceiveCount", "1")),
        sent_at=int(system.get("SentTimestamp", "0")) / 1000,
    )
