import itertools
import json
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from mypy_boto3_sqs import SQSClient

from limbo.adapters.encoding.codec import encode_mail
from limbo.adapters.sqs.client import sqs_client
from limbo.adapters.sqs.dead_letters import SqsDeadLetters
from limbo.adapters.sqs.queue import SqsQueue
from limbo.domain.delivery.verdict import Cause, Death
from limbo.domain.errors import QueueUnavailable
from limbo.ports.queue import Kept, NotKept
from tests.support.leases import touched
from tests.support.mails import a_mail

URL, DEAD_URL = "https://sqs.example/1/queue", "https://sqs.example/1/dead"
HTML = b"<html>maintenance</html>"
COUNTS = ("Messages", "MessagesNotVisible", "MessagesDelayed")
AT = {"endpoint_url": URL}
DEATH = Death(cause=Cause(kind="mail", reason="refused"))


@dataclass
class Said:
    """What stands in SQS's place answers."""

    body: bytes = b"{}"
    status: int = 200


@dataclass
class Sqs:
    """A client as limbo builds it, what its operations answer or raise, and how long they take."""

    client: SQSClient
    answers: dict[str, Said | Exception | Callable[[], Said]] = field(default_factory=dict)
    takes: dict[str, float] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, bytes] = field(default_factory=dict)
    now: float = 1000.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def queue(self, name: str = URL) -> SqsQueue:
        return SqsQueue(self.client, name, DEAD_URL, now=lambda: self.now)

    def respond(self, request: AWSRequest, event_name: str, **_: object) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        with self.lock:
            self.calls[operation] += 1
            self.bodies[operation] = request.body
            self.now += self.takes.get(operation, 0.0)
            said = self.answers[operation]
            if isinstance(said, Exception):
                raise said
            if callable(said):
                said = said()
        response = AWSResponse(request.url, said.status, {}, None)
        response._content = said.body  # noqa: SLF001 - read instead of a socket
        return response


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sqs]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "top-secret")
    sqs = Sqs(sqs_client("eu-west-1"))
    sqs.client.meta.events.register("before-send.sqs", sqs.respond)
    yield sqs
    sqs.client.close()


def said(**document: object) -> Said:
    return Said(json.dumps(document).encode())


def error(status: int, code: str) -> Said:
    return Said(json.dumps({"__type": code, "message": "no"}).encode(), status)


# put


@pytest.mark.parametrize(
    ("answer", "in_doubt"),
    [
        (ReadTimeoutError(**AT), True),
        (ConnectionClosedError(**AT), True),
        (SSLError(**AT, error="EOF"), True),
        (ResponseParserError("no"), True),
        (error(500, "InternalFailure"), True),
        (error(504, "GatewayTimeout"), True),
        (Said(HTML), True),
        (Said(HTML, 502), True),
        (Said(b"[1]"), True),
        (said(), True),
        (said(Successful=7), True),
        (said(Failed=[{"Id": "0"}]), True),
        (said(Failed=[{"Id": "0", "Code": "InternalError", "SenderFault": False}]), False),
        (EndpointConnectionError(**AT, error="refused"), False),
        (ConnectTimeoutError(**AT), False),
        (ProxyConnectionError(proxy_url=URL), False),
        (error(403, "AccessDenied"), False),
        (error(400, "RequestThrottled"), False),
        (Said(HTML, 404), False),
    ],
    ids=repr,
)
def test_a_put_that_may_have_arrived_is_in_doubt(sqs, answer, in_doubt):
    sqs.answers["SendMessageBatch"] = answer
    kept = sqs.queue().put([a_mail(), a_mail()])
    assert all(isinstance(one, NotKept) and not one.too_large for one in kept)
    assert kept[0].in_doubt is in_doubt
    assert sqs.calls["SendMessageBatch"] == 1


@pytest.mark.parametrize("answer", [ReadTimeoutError(**AT), Said(HTML), Said(HTML, 502)], ids=repr)
def test_a_put_that_could_not_find_its_queue_is_in_no_doubt(sqs, answer):
    sqs.answers["GetQueueUrl"] = answer
    [kept] = sqs.queue("queue").put([a_mail()])
    assert isinstance(kept, NotKept)
    assert not kept.in_doubt


def test_a_put_is_kept_when_sqs_says_so_whatever_else_it_says(sqs):
    sqs.answers["SendMessageBatch"] = said(Successful=[{"Id": "0"}], Failed=[])
    assert sqs.queue().put([a_mail()]) == [Kept()]


# whatever is answered


def a_message(**changes: object) -> dict[str, object]:
    message: dict[str, object] = {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": encode_mail(replace(a_mail(), id="m", submitted_at=0.0)).decode(),
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
    }
    return {**message, **changes}


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        *itertools.product(
            ("GetQueueUrl", "ReceiveMessage", "GetQueueAttributes"),
            (Said(HTML), Said(b""), Said(b"[1]"), Said(b"{"), Said(HTML, 302), Said(HTML, 502)),
        ),
        ("GetQueueUrl", said()),
        ("GetQueueUrl", ResponseParserError("no")),
        ("ReceiveMessage", said(Messages=7)),
        ("ReceiveMessage", said(Messages=[{}])),
        ("ReceiveMessage", said(Messages=[a_message(Attributes={"SentTimestamp": "soon"})])),
        ("GetQueueAttributes", said()),
        ("GetQueueAttributes", said(Attributes={})),
        (
            "GetQueueAttributes",
            said(Attributes=dict.fromkeys(map("ApproximateNumberOf{}".format, COUNTS), "many")),
        ),
    ],
    ids=repr,
)
def test_an_answer_that_cannot_be_read_makes_the_queue_unavailable(sqs, operation, answer):
    good = {"GetQueueUrl": said(QueueUrl=URL), "ReceiveMessage": said(), operation: answer}
    sqs.answers.update(good)
    queue = sqs.queue("queue")
    with pytest.raises(QueueUnavailable, match=r"^SQS "):
        queue.depth() if operation == "GetQueueAttributes" else queue.receive(1, 0)


@pytest.mark.parametrize(
    ("code", "ready"),
    [
        ("AWS.SimpleQueueService.EmptyBatchRequest", True),
        ("EmptyBatchRequest", True),
        ("AccessDenied", False),
        ("AWS.SimpleQueueService.NonExistentQueue", False),
    ],
)
def test_a_queue_is_ready_if_it_refuses_a_batch_only_for_being_empty(sqs, code, ready):
    refused = ClientError({"Error": {"Code": code}}, "SendMessageBatch")
    sqs.answers["SendMessageBatch"] = refused
    with nullcontext() if ready else pytest.raises(QueueUnavailable, match=r"^SQS answered"):
        sqs.queue().check_put()


def test_an_error_without_a_code_makes_the_queue_unavailable(sqs):
    sqs.answers["ReceiveMessage"] = ClientError({}, "ReceiveMessage")
    with pytest.raises(QueueUnavailable):
        sqs.queue().receive(1, 0)


@pytest.mark.parametrize("call", ["ack", "extend"])
@pytest.mark.parametrize("answer", [Said(HTML), said(Failed=[{"Id": "0"}]), said(Failed=7)])
def test_a_settlement_whose_answer_cannot_be_read_makes_the_queue_unavailable(sqs, call, answer):
    sqs.answers["ReceiveMessage"] = said(Messages=[a_message()])
    sqs.answers["DeleteMessageBatch"] = sqs.answers["ChangeMessageVisibilityBatch"] = answer
    queue = sqs.queue()
    leases = queue.receive(1, 0)
    with pytest.raises(QueueUnavailable):
        getattr(queue, call)(leases)


# settlements


@pytest.mark.parametrize("call", ["ack", "extend"])
@pytest.mark.parametrize(
    ("ids", "known"), [((0, 1), True), ((0,), False), ((), False), ((0, 2), False)]
)
def test_a_settlement_counts_only_when_sqs_says_so(sqs, call, ids, known):
    messages = [a_message(ReceiptHandle=receipt) for receipt in "ab"]
    sqs.answers["ReceiveMessage"] = said(Messages=messages)
    settled = said(Successful=[{"Id": str(id_)} for id_ in ids])
    sqs.answers["DeleteMessageBatch"] = sqs.answers["ChangeMessageVisibilityBatch"] = settled
    queue = sqs.queue()
    settle = partial(getattr(queue, call), queue.receive(10, 0))
    if known:
        assert settle() == []
    else:
        with pytest.raises(QueueUnavailable, match=r"^SQS did not say"):
            settle()


# leases


@pytest.mark.parametrize(
    ("wait", "takes", "passed", "good"),
    [(0, 9, 59, True), (0, 9, 61, False), (8, 8, 67, True), (8, 9, 69, False)],
)
def test_a_lease_counts_from_before_the_call_that_brought_it(sqs, wait, takes, passed, good):
    sqs.answers["ReceiveMessage"] = said(Messages=[a_message()])
    sqs.answers["ChangeMessageVisibilityBatch"] = said(Successful=[{"Id": "0"}])
    called_at, sqs.takes["ReceiveMessage"] = sqs.now, takes
    queue = sqs.queue()
    leases = queue.receive(1, wait)
    assert json.loads(sqs.bodies["ReceiveMessage"])["VisibilityTimeout"] == 60 + wait
    sqs.now = called_at + passed
    assert queue.extend(leases) == ([] if good else leases)


# burials


def test_a_burial_whose_delete_fails_sends_one_dead_letter(sqs):
    settled = said(Successful=[{"Id": "0"}])
    sqs.answers["ReceiveMessage"] = said(Messages=[a_message()])
    sqs.answers["ChangeMessageVisibilityBatch"] = sqs.answers["SendMessageBatch"] = settled
    sqs.answers["DeleteMessageBatch"] = ReadTimeoutError(**AT)
    queue = sqs.queue()
    [lease] = queue.receive(1, 0)
    for _ in range(20):
        with pytest.raises(QueueUnavailable):
            queue.bury(touched(lease, possible_duplicate=False), DEATH)
        sqs.now += 10  # soon past the lease
    sqs.answers["DeleteMessageBatch"] = settled
    queue.bury(lease, DEATH)
    assert (sqs.calls["SendMessageBatch"], sqs.calls["DeleteMessageBatch"]) == (1, 21)


def test_a_burial_that_the_dead_letters_refuse_is_tried_anew(sqs):
    settled = said(Successful=[{"Id": "0"}])
    sqs.answers["ReceiveMessage"] = said(Messages=[a_message()])
    sqs.answers["ChangeMessageVisibilityBatch"] = sqs.answers["DeleteMessageBatch"] = settled
    sqs.answers["SendMessageBatch"] = ReadTimeoutError(**AT)
    queue = sqs.queue()
    [lease] = queue.receive(1, 0)
    with pytest.raises(QueueUnavailable):
        queue.bury(lease, DEATH)
    assert sqs.calls["DeleteMessageBatch"] == 0
    sqs.answers["SendMessageBatch"] = settled
    queue.bury(lease, DEATH)
    assert (sqs.calls["SendMessageBatch"], sqs.calls["DeleteMessageBatch"]) == (2, 1)


# dead letters


@pytest.mark.parametrize(
    "look",
    [
        lambda dead_letters: dead_letters.list(5),
        lambda dead_letters: dead_letters.list(5, after="500"),
        lambda dead_letters: dead_letters.select(),
        lambda dead_letters: dead_letters.causes(10),
    ],
    ids=["list", "list after", "select", "causes"],
)
def test_a_look_at_the_dead_letters_holds_few_of_them(sqs, look):
    count, size = 640, 50_000
    body = encode_mail(a_mail(message="x" * size)).decode()
    unseen: list[str] = []

    def begin() -> Said:
        unseen[:] = map(str, range(count))
        return said(Attributes=dict.fromkeys(map("ApproximateNumberOf{}".format, COUNTS), "0"))

    def ten() -> Said:
        ids, unseen[:] = unseen[:10], unseen[10:]
        return said(Messages=[a_message(MessageId=id_, Body=body) for id_ in ids])

    sqs.answers["GetQueueAttributes"], sqs.answers["ReceiveMessage"] = begin, ten
    sqs.answers["ChangeMessageVisibilityBatch"] = said(Successful=[{"Id": "0"}])
    dead_letters = SqsDeadLetters(sqs.client, URL, DEAD_URL, patience=0)
    tracemalloc.start()
    found = look(dead_letters)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found
    assert peak < count * size / 2
