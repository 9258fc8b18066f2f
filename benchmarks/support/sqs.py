"""A stub of SQS with one queue; each response is delayed by MILLISECONDS.

    python -m benchmarks.support.sqs PORT MILLISECONDS

GET /calls returns how often each action was called, and starts to count again.
"""

import asyncio
import hashlib
import itertools
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import orjson

from benchmarks.support.stub import Reply, Request, serve

_PAUSE = 0.002


class _Sqs:
    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._numbers = itertools.count(1)
        self._ready: deque[tuple[str, str]] = deque()
        self._leased: dict[str, tuple[str, str]] = {}
        self._calls: Counter[str] = Counter()

    def handle(self, request: Request, reply: Reply) -> None:
        if request.path == "/calls":
            reply(orjson.dumps(self._calls))
            self._calls.clear()
            return
        target = request.headers.get(b"x-amz-target", b"").decode().rpartition(".")[2]
        if not target:
            reply(b"{}")
            return
        self._calls[target] += 1
        given = orjson.loads(request.body)
        loop = asyncio.get_running_loop()
        if target == "ReceiveMessage":
            until = loop.time() + given.get("WaitTimeSeconds", 0)
            loop.call_later(self._delay, self._receive, given, until, reply)
        else:
            answer = orjson.dumps(getattr(self, f"_{target}")(given))
            loop.call_later(self._delay, reply, answer)

    def _receive(self, given: Mapping[str, Any], until: float, reply: Reply) -> None:
        loop = asyncio.get_running_loop()
        if not self._ready and loop.time() < until:
            loop.call_later(_PAUSE, self._receive, given, until, reply)
            return
        messages = []
        for _ in range(min(given["MaxNumberOfMessages"], len(self._ready))):
            message = self._ready.popleft()
            receipt = f"receipt-{next(self._numbers)}"
            self._leased[receipt] = message
            messages.append(
                {
                    "MessageId": message[0],
                    "ReceiptHandle": receipt,
                    "Body": message[1],
                    "MD5OfBody": _md5(message[1]),
                    "Attributes": {
                        "ApproximateReceiveCount": "1",
                        "SentTimestamp": str(int(time.time() * 1000)),
                    },
                }
            )
        reply(orjson.dumps({"Messages": messages} if messages else {}))

    def _keep(self, body: str) -> dict[str, str]:
        name = f"message-{next(self._numbers)}"
        self._ready.append((name, body))
        return {"MessageId": name, "MD5OfMessageBody": _md5(body)}

    def _SendMessage(self, given: Mapping[str, Any]) -> object:  # noqa: N802 - SQS's own names
        return self._keep(given["MessageBody"])

    def _SendMessageBatch(self, given: Mapping[str, Any]) -> object:  # noqa: N802
        entries = given["Entries"]
        return {"Successful": [{"Id": e["Id"], **self._keep(e["MessageBody"])} for e in entries]}

    def _DeleteMessageBatch(self, given: Mapping[str, Any]) -> object:  # noqa: N802
        for entry in given["Entries"]:
            del self._leased[entry["ReceiptHandle"]]
        return {"Successful": [{"Id": entry["Id"]} for entry in given["Entries"]]}

    def _ChangeMessageVisibilityBatch(self, given: Mapping[str, Any]) -> object:  # noqa: N802
        return {"Successful": [{"Id": entry["Id"]} for entry in given["Entries"]]}

    def _GetQueueAttributes(self, _: Mapping[str, Any]) -> object:  # noqa: N802
        names = ("", "NotVisible", "Delayed")
        counts = (len(self._ready), len(self._leased), 0)
        pairs = zip(names, counts, strict=True)
        return {"Attributes": {f"ApproximateNumberOfMessages{name}": str(n) for name, n in pairs}}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


if __name__ == "__main__":
    serve(_Sqs(float(sys.argv[2]) / 1000).handle, int(sys.argv[1]))
