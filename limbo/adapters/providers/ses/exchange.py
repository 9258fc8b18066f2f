"""What botocore's exceptions do not tell of a call: how far its request and its answer came.

botocore has one error for a TLS handshake that failed and for a connection that broke after the
mail was written, and takes an answer that was cut off for a whole one.
"""

import io
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from mypy_boto3_sesv2 import SESV2Client


class Exchange(threading.local):
    """The last SendEmail of this thread."""

    written: bool | None = None
    """Whether the request was written to its last byte; None if that is not known."""
    whole: bool = False
    """Whether the answer is as long as its head says."""

    def watch(self, client: "SESV2Client") -> None:
        """Learn of the calls of this client, whichever thread makes them."""
        events = client.meta.events
        events.register("before-send.sesv2.SendEmail", self._before_send)
        events.register("response-received.sesv2.SendEmail", self._received)

    def forget(self) -> None:
        """Begin another call."""
        self.written = None
        self.whole = False

    def _before_send(self, request: "AWSPreparedRequest", **_: object) -> None:
        if isinstance(request.body, bytes):
            self.written = False
            request.body = _Body(request.body, self)

    def _received(self, response_dict: Mapping[str, Any] | None, **_: object) -> None:
        self.whole = response_dict is not None and _is_whole(response_dict)


class _Body(io.BytesIO):
    """A request's body. It is asked for more once all that it gave has been written."""

    def __init__(self, content: bytes, exchange: Exchange) -> None:
        super().__init__(content)
        self._exchange = exchange

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        if not part:
            self._exchange.written = True
        return part


def _is_whole(response: Mapping[str, Any]) -> bool:
    """Say whether nothing is missing. An end of chunks that is missing is botocore's own error.

    http.client takes a connection that ends within the head for the end of that; such an answer has
    no length, or is shorter.
    """
    headers = {str(name).lower(): str(value) for name, value in response["headers"].items()}
    length = headers.get("content-length", "")
    if length.isdecimal():
        return int(length) == len(response["body"])
    return headers.get("transfer-encoding", "").lower() == "chunked"
