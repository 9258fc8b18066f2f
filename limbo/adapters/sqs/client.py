"""The client for SQS, its limits, and the translation of its errors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

BATCH = 10  # entries in one call
MAX_BYTES = 1024 * 1024  # of a message, and of a batch, attributes included
READ_TIMEOUT = 10
LONG_POLL = 8  # SQS allows 20 s; below the read timeout, one client can serve all calls


def sqs_client(region: str | None = None, connections: int = 64) -> "SQSClient":
    """Build a client that makes each call once: repeating a send could add a second message.

    Raises SettingsError if the region or the endpoint is not valid.
    """
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=3,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=connections,
        # Both save CPU time: limbo's requests are always valid, and botocore would build its own
        # user agent again for each call.
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
    """Refuse a proxy's page and a cut answer: botocore would read both as an empty answer."""
    body: bytes = response_dict["body"].strip()
    if response_dict["status_code"] < HTTPStatus.MULTIPLE_CHOICES and not (
        body.startswith(b"{") and body.endswith(b"}")
    ):
        raise ResponseParserError


@contextmanager
def sqs_errors() -> Iterator[None]:
    """Turn any error of a call into QueueUnavailable. Its text quotes nothing that was sent."""
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
    except Exception as error:  # a proxy may answer anything, and botocore then fails in many ways
        msg = f"SQS gave an answer that cannot be read: {type(error).__name__}"
        raise QueueUnavailable(msg) from error


def is_in_doubt(error: BaseException | None) -> bool:
    """Tell whether a call with this error may have been carried out.

    A 5xx may come from a gateway that lost the answer. A TLS error may happen while the answer is
    read.
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
    """Return the error code, without the namespace that some codes have."""
    return error.response.get("Error", {}).get("Code", "").rpartition(".")[2]
