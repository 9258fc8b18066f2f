"""SQS in our words: its limits, messages and errors, and the client that speaks to it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    InvalidRegionError,
    NoRegionError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from limbo import __version__
from limbo.domain.errors import QueueUnavailable, SettingsError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        BatchResultErrorEntryTypeDef,
        ChangeMessageVisibilityBatchResultTypeDef,
        DeleteMessageBatchResultTypeDef,
        MessageTypeDef,
    )

    _BatchResult = DeleteMessageBatchResultTypeDef | ChangeMessageVisibilityBatchResultTypeDef

BATCH = 10  # entries in one call
MAX_BYTES = 1024 * 1024  # of a message, and of a batch; attributes count
READ_TIMEOUT = 10
LONG_POLL = 8  # SQS offers 20 s; below the read time-out, one client serves all calls
# The attributes that a dead letter carries beside its raw body; a mail redriven carries the last.
CAUSE, ATTEMPTS = "limbo-cause", "limbo-attempts"
BURIED_AT, MAIL_ID = "limbo-buried-at", "limbo-mail-id"
POSSIBLE_DUPLICATE = "limbo-possible-duplicate"
# The handle is unknown, is older than the message's last receive, or its time has run out.
_LOST = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"}
# Some defects of one entry are answered for the whole batch.
ENTRY_AT_FAULT = {"InvalidParameterValue", "InvalidMessageContents", "BatchRequestTooLong"}
TOO_LARGE = "must be shorter than"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as received; ``sent_at`` in seconds since the epoch."""

    id: str
    receipt: str
    body: str = field(repr=False)
    attributes: Mapping[str, str] = field(repr=False)
    receive_count: int
    sent_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to send; ``group`` and ``deduplication`` matter to FIFO queues alone."""

    body: str = field(repr=False)
    group: str
    deduplication: str
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """What SQS counts of it, in bytes."""
        attributes = sum(
            len(name) + len("String") + len(value.encode())
            for name, value in self.attributes.items()
        )
        return len(self.body.encode()) + attributes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message was not sent; ``too_large`` when it never can be.

    ``in_doubt`` says that SQS may have it all the same.
    """

    reason: str
    too_large: bool = False
    in_doubt: bool = False


def sqs_client(region: str | None = None, connections: int = 64) -> "SQSClient":
    """Build a client that makes each call once: a repeated send may be a second message.

    Raises SettingsError when the region or the endpoint is none.
    """
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=3,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=connections,
        # Both took a fifth of a call's CPU: all that is sent is built here, and is always the same.
        parameter_validation=False,
        user_agent=f"limbo/{__version__}",
    )
    try:
        client = boto3.session.Session().client("sqs", region_name=region, config=config)
    except NoRegionError:
        msg = "LIMBO_REGION: must name the AWS region of the queue, for example eu-west-1"
        raise SettingsError(msg) from None
    except InvalidRegionError:
        msg = "LIMBO_REGION: is not of the form of a region, for example eu-west-1"
        raise SettingsError(msg) from None
    except ValueError:
        msg = "AWS_ENDPOINT_URL_SQS: is not a URL"
        raise SettingsError(msg) from None
    client.meta.events.register("before-parse.sqs", _check_body)
    return client


def _check_body(response_dict: Mapping[str, Any], **_: object) -> None:
    """Refuse a proxy's page and half an answer: botocore would read them as an empty answer."""
    body: bytes = response_dict["body"].strip()
    if response_dict["status_code"] < HTTPStatus.MULTIPLE_CHOICES and not (
        body.startswith(b"{") and body.endswith(b"}")
    ):
        raise ResponseParserError


@contextmanager
def sqs_errors() -> Iterator[None]:
    """Raise whatever a call ends in as QueueUnavailable, which quotes nothing of what was sent."""
    try:
        yield
    except QueueUnavailable:
        raise
    except ClientError as error:
        msg = f"SQS answered {error_code(error)}"
        raise QueueUnavailable(msg) from error
    except BotoCoreError as error:
        msg = f"SQS did not answer: {type(error).__name__}"
        raise QueueUnavailable(msg) from error
    except Exception as error:  # a proxy may answer anything, and botocore trips in many ways
        msg = f"SQS gave an answer that cannot be read: {type(error).__name__}"
        raise QueueUnavailable(msg) from error


def is_in_doubt(error: BaseException | None) -> bool:
    """Tell whether the call that ended so may have been carried out all the same.

    A status of 5xx may be a gateway's that lost the answer, and a TLS error may come as the answer
    is read.
    """
    match error:
        case ClientError():
            status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return status >= HTTPStatus.INTERNAL_SERVER_ERROR
        case BotoCoreError():
            return isinstance(error, HTTPClientError | SSLError)
        case _:
            return True


def error_code(error: ClientError) -> str:
    """Return the code without the namespace that some carry."""
    return error.response.get("Error", {}).get("Code", "").rpartition(".")[2]


def lost_receipts(receipts: Sequence[str], answer: "_BatchResult") -> set[str]:
    """Return the receipts of a batch that are no longer good.

    Raises QueueUnavailable when anything else failed, or when SQS left one out.
    """
    done = {entry["Id"] for entry in answer.get("Successful", ())}
    lost: set[str] = set()
    for entry in answer.get("Failed", ()):
        if (code := entry["Code"].rpartition(".")[2]) not in _LOST:
            msg = f"SQS answered {code}"
            raise QueueUnavailable(msg)
        lost.add(entry["Id"])
    by_id = {str(index): receipt for index, receipt in enumerate(receipts)}
    if not by_id.keys() <= done | lost:
        msg = "SQS did not say of each message whether it did as told"
        raise QueueUnavailable(msg)
    return {receipt for id_, receipt in by_id.items() if id_ in lost}


def refusal_of(entry: "BatchResultErrorEntryTypeDef | None") -> Refusal:
    """Read the ``Failed`` entry of a message that is not among the ``Successful``."""
    if entry is None:
        return Refusal("SQS did not say whether it has the message", in_doubt=True)
    code = entry["Code"].rpartition(".")[2]
    return Refusal(f"SQS answered {code}", too_large=TOO_LARGE in entry.get("Message", ""))


def message_of(item: "MessageTypeDef") -> Message:
    """Read a message from the answer to a receive."""
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
