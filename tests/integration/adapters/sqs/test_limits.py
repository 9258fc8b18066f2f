import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError
from mypy_boto3_sqs import SQSClient

from limbo.adapters.encoding.codec import encode_mail
from limbo.adapters.sqs.client import MAX_BYTES, sqs_client
from limbo.adapters.sqs.dead_letters import SqsDeadLetters
from limbo.adapters.sqs.letter import UNKNOWN_CAUSE
from limbo.adapters.sqs.queue import ATTRIBUTES_ROOM, SqsQueue
from limbo.domain.delivery.evidence import NO_EVIDENCE
from limbo.domain.delivery.verdict import Attempt, Cause, Death, Failed, Fault
from limbo.domain.errors import QueueUnavailable, SettingsError
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Kept, Lease, NotKept, Undecodable
from tests.contracts.queue import take, take_one
from tests.support.mails import a_mail
from tests.support.moto import Aws
from tests.support.processes import reserved_port

DEATH = Death(cause=Cause(kind=Fault.MAIL, sender="ses", reason="refused"))
BOTH_KINDS = pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])


@dataclass
class Sqs:
    queue: SqsQueue
    dead_letters: SqsDeadLetters
    url: str
    dead_url: str


@pytest.fixture
def client(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQSClient]:
    """A client as limbo builds it, with no other test's hooks on it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", aws.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "top-secret")
    client = sqs_client("eu-west-1")
    yield client
    client.close()


@pytest.fixture
def new(aws: Aws, client: SQSClient) -> Callable[..., Sqs]:
    def new(*, fifo: bool = False, dead_fifo: bool | None = None, **attributes: str) -> Sqs:
        url = aws.queue(fifo=fifo, **attributes)
        dead_url = aws.queue(fifo=fifo if dead_fifo is None else dead_fifo)
        return Sqs(
            queue=SqsQueue(client, url, dead_url, now=aws.now),
            dead_letters=SqsDeadLetters(client, url, dead_url, patience=0),
            url=url,
            dead_url=dead_url,
        )

    return new


@contextmanager
def answers(client: SQSClient, operation: str, respond: Callable[[AWSRequest], object]):
    """Let ``respond`` see each request of the operation, and answer it unless with None."""
    event = f"before-send.sqs.{operation}"

    def handle(request: AWSRequest, **_: object) -> object:
        return respond(request)

    client.meta.events.register(event, handle)
    yield
    client.meta.events.unregister(event, handle)


def closed(request: AWSRequest) -> None:
    raise ConnectionClosedError(endpoint_url=request.url)


def answer(document: dict[str, object]) -> Callable[[AWSRequest], AWSResponse]:
    def respond(request: AWSRequest) -> AWSResponse:
        response = AWSResponse(request.url, 200, {}, None)
        response._content = json.dumps(document).encode()  # noqa: SLF001 - read instead of a socket
        return response

    return respond


# put


def test_a_batch_is_never_larger_than_sqs_takes(new, client):
    sqs = new()
    sizes = []
    with answers(client, "SendMessageBatch", lambda request: sizes.append(len(request.body))):
        assert sqs.queue.put([a_mail(message="ä" * 100_000)] * 12) == [Kept()] * 12
    assert len(sizes) == 3
    assert len(take(sqs.queue, 12)) == 12


def test_the_mail_too_large_is_refused_alone(new):
    small, large = a_mail(), a_mail(message="x" * (MAX_BYTES - ATTRIBUTES_ROOM))
    queue = new().queue
    kept = queue.put([small, large, small])
    assert [type(item) for item in kept] == [Kept, NotKept, Kept]
    assert kept[1].too_large


def test_a_queue_set_to_a_smaller_size_refuses_the_large_mail_alone(new):
    queue = new(MaximumMessageSize="2048").queue
    kept = queue.put([a_mail(), a_mail(message="x" * 3000), a_mail()])
    assert [type(item) for item in kept] == [Kept, NotKept, Kept]
    assert kept[1].too_large
    assert len(take(queue, 2)) == 2


def test_each_mail_is_answered_for_itself(new, client):
    document = {
        "Successful": [{"Id": "0", "MessageId": "a", "MD5OfMessageBody": "b"}],
        "Failed": [{"Id": "1", "Code": "InternalError", "SenderFault": False}],
    }
    with answers(client, "SendMessageBatch", answer(document)):
        kept = new().queue.put([a_mail(), a_mail(), a_mail()])
    assert kept == [
        Kept(),
        NotKept(reason="SQS answered InternalError"),
        NotKept(reason="SQS did not say whether it has the message", in_doubt=True),
    ]


def test_a_send_is_never_repeated(new, client):
    calls = []

    def fail(request: AWSRequest) -> None:
        calls.append(request)
        closed(request)

    with answers(client, "SendMessageBatch", fail):
        [kept] = new().queue.put([a_mail()])
    assert kept == NotKept(reason="SQS did not answer: ConnectionClosedError", in_doubt=True)
    assert len(calls) == 1


def test_every_mail_is_its_own_group_and_deduplicated_by_its_id(new, aws):
    sqs = new(fifo=True)
    mail = a_mail()
    sqs.queue.put([mail])
    assert _fifo_ids(aws, sqs.url) == (mail.id, mail.id)


def test_a_redriven_mail_is_deduplicated_by_its_dead_letter(new, aws):
    sqs = new(fifo=True)
    mail = a_mail()
    sqs.queue.put([mail])
    sqs.queue.bury(take_one(sqs.queue), DEATH)
    [letter] = sqs.dead_letters.list(10)
    sqs.dead_letters.redrive([letter.id])
    assert _fifo_ids(aws, sqs.url) == (mail.id, letter.id)


def _fifo_ids(aws: Aws, url: str) -> tuple[str, str]:
    [message] = aws.sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["All"])[
        "Messages"
    ]
    attributes = message["Attributes"]
    return attributes["MessageGroupId"], attributes["MessageDeduplicationId"]


# receive and leases


def test_a_long_wait_is_split_into_polls_shorter_than_the_read_timeout(new, client):
    waits = []

    def respond(request: AWSRequest) -> AWSResponse:
        waits.append(json.loads(request.body)["WaitTimeSeconds"])
        return answer({})(request)

    with answers(client, "ReceiveMessage", respond):
        assert new().queue.receive(10, 19.5) == []
    assert waits == [8, 8, 4]


def test_what_was_received_is_not_given_up_for_what_was_not(new, client):
    queue = new().queue
    queue.put([a_mail() for _ in range(25)])
    calls = itertools.count()
    with answers(
        client, "ReceiveMessage", lambda request: closed(request) if next(calls) else None
    ):
        assert len(queue.receive(25, 0)) == 10
    assert len(queue.receive(25, 0)) == 15


def test_being_received_often_is_no_evidence_against_a_mail(new, aws):
    queue = new().queue
    queue.put([a_mail()])
    for _ in range(60):
        queue.release(take_one(queue), 0)
    lease = take_one(queue)
    assert (lease.touches, lease.evidence) == (0, NO_EVIDENCE)
    aws.elapse(70)
    assert take_one(queue).touches == 0


def test_refuses_the_leases_of_other_queues(new):
    with pytest.raises(TypeError):
        new().queue.ack([Lease(mail=a_mail(), receipt="1")])


def test_a_delay_is_cut_to_what_sqs_allows(new, aws):
    queue = new().queue
    queue.put([a_mail()])
    lease = take_one(queue)
    queue.release(lease, 24 * 3600)
    aws.elapse(12 * 3600 - 120)
    assert queue.receive(1, 0) == []
    aws.elapse(120)
    assert len(queue.receive(1, 0)) == 1


def test_a_lease_that_sqs_calls_lost_is_lost(new, aws, client):
    sqs = new(fifo=True)
    queue = SqsQueue(client, sqs.url, sqs.dead_url, now=lambda: 0.0)  # sees no time pass
    queue.put([a_mail()])
    old = take_one(queue)
    aws.elapse(70)
    new_lease = take_one(queue)
    assert queue.ack([old]) == [old]
    assert queue.ack([new_lease]) == []


@pytest.mark.parametrize(
    ("code", "lost"),
    [
        ("ReceiptHandleIsInvalid", True),
        ("InvalidParameterValue", True),
        ("AWS.SimpleQueueService.MessageNotInflight", True),
        ("InternalError", False),
        ("RequestThrottled", False),
    ],
)
def test_tells_a_lost_lease_from_a_queue_that_fails(new, client, code, lost):
    queue = new().queue
    queue.put([a_mail()])
    lease = take_one(queue)
    failed = {"Failed": [{"Id": "0", "Code": code, "SenderFault": lost}], "Successful": []}
    with (
        answers(client, "ChangeMessageVisibilityBatch", answer(failed)),
        answers(client, "DeleteMessageBatch", answer(failed)),
    ):
        if lost:
            assert queue.extend([lease]) == [lease]
        else:
            for call in (queue.extend, queue.ack):
                with pytest.raises(QueueUnavailable, match=code):
                    call([lease])


# dead letters


@BOTH_KINDS
def test_a_burial_cut_short_loses_nothing(new, aws, client, fifo):
    sqs = new(fifo=fifo)
    sqs.queue.put([a_mail()])
    with answers(client, "DeleteMessageBatch", closed), pytest.raises(QueueUnavailable):
        sqs.queue.bury(take_one(sqs.queue), DEATH)
    assert len(sqs.dead_letters.list(10)) == 1
    aws.elapse(70)
    sqs.queue.bury(take_one(sqs.queue), DEATH)
    assert len(sqs.dead_letters.list(10)) == (1 if fifo else 2)
    assert sqs.queue.receive(10, 0) == []


def test_a_mail_that_the_dead_letters_refuse_stays_in_the_queue(new, aws, client):
    sqs = new()
    sqs.queue.put([a_mail()])
    with answers(client, "SendMessageBatch", closed), pytest.raises(QueueUnavailable):
        sqs.queue.bury(take_one(sqs.queue), DEATH)
    aws.elapse(70)
    assert len(take(sqs.queue, 1)) == 1


@BOTH_KINDS
def test_a_redrive_cut_short_loses_nothing(new, client, fifo):
    sqs = new(fifo=fifo)
    sqs.queue.put([a_mail()])
    sqs.queue.bury(take_one(sqs.queue), DEATH)
    [letter] = sqs.dead_letters.list(10)
    with answers(client, "DeleteMessageBatch", closed), pytest.raises(QueueUnavailable):
        sqs.dead_letters.redrive([letter.id])
    assert sqs.dead_letters.redrive([letter.id]) == 1
    assert sqs.dead_letters.list(10) == []
    assert len(sqs.queue.receive(10, 0)) == (1 if fifo else 2)


def test_a_dead_letter_that_the_queue_refuses_stays(new, client):
    sqs = new()
    sqs.queue.put([a_mail()])
    sqs.queue.bury(take_one(sqs.queue), DEATH)
    [letter] = sqs.dead_letters.list(10)
    with answers(client, "SendMessageBatch", closed), pytest.raises(QueueUnavailable):
        sqs.dead_letters.redrive([letter.id])
    assert sqs.dead_letters.list(10) == [letter]


@pytest.mark.parametrize("dead_fifo", [False, True])
def test_a_queue_and_dead_letters_of_two_kinds_go_together(new, dead_fifo):
    sqs = new(fifo=not dead_fifo, dead_fifo=dead_fifo)
    sqs.queue.put([a_mail()])
    sqs.queue.bury(take_one(sqs.queue), DEATH)
    [letter] = sqs.dead_letters.list(10)
    assert sqs.dead_letters.redrive([letter.id]) == 1
    assert take_one(sqs.queue).mail.id == letter.mail_id


@pytest.mark.parametrize("attributes", [{}, {"limbo-cause": "{", "limbo-attempts": "[1]"}])
def test_lists_what_others_moved_to_the_dead_letters(new, aws, attributes):
    sqs = new()
    mail = a_mail()
    for body in (encode_mail(mail).decode(), "no mail"):
        aws.sqs.send_message(
            QueueUrl=sqs.dead_url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in attributes.items()
            },
        )
    letters = sqs.dead_letters.list(10)
    assert {letter.cause for letter in letters} == {UNKNOWN_CAUSE}
    mails = [sqs.dead_letters.show(letter.id).mail for letter in letters]
    assert mail in mails
    assert any(isinstance(each, Undecodable) for each in mails)
    assert letters[0].buried_at == pytest.approx(aws.now(), abs=10)
    assert all(letter.possible_duplicate for letter in letters)  # SQS moves what was often received
    assert sqs.dead_letters.redrive(sqs.dead_letters.select()) == 2
    assert all(lease.possible_duplicate for lease in take(sqs.queue, 2))


@pytest.mark.parametrize(
    ("room", "cause", "attempts"),
    [(20_000, DEATH.cause, 20), (1000, DEATH.cause, 0), (10, UNKNOWN_CAUSE, 0)],
)
def test_a_body_that_leaves_no_room_is_buried_with_less(new, aws, room, cause, attempts):
    sqs = new()
    body = encode_mail(a_mail(message="")).decode()
    body = body.replace('"message":""', '"message":"' + "x" * (MAX_BYTES - room - len(body)) + '"')
    aws.sqs.send_message(QueueUrl=sqs.url, MessageBody=body)
    lease = take_one(sqs.queue)
    attempt = Attempt(
        sender="ses", started_at=1.0, duration=1.0, verdict=Failed(Fault.OUTAGE, "y" * 300)
    )
    sqs.queue.bury(lease, replace(DEATH, attempts=[attempt] * 20))
    [letter] = sqs.dead_letters.list(10)
    assert isinstance(lease.mail, Mail)
    assert sqs.dead_letters.show(letter.id).mail == lease.mail
    assert (letter.cause, len(letter.attempts)) == (cause, attempts)
    assert sqs.dead_letters.redrive([letter.id]) == 1
    assert take_one(sqs.queue).mail == lease.mail


def test_a_body_that_is_no_mail_is_found_by_the_name_that_the_log_gave_it(new, aws):
    sqs = new()
    aws.sqs.send_message(QueueUrl=sqs.url, MessageBody="no mail")
    lease = take_one(sqs.queue)
    sqs.queue.bury(lease, DEATH)
    assert sqs.dead_letters.show(lease.mail.id).mail == lease.mail


# a queue that is not there


@pytest.mark.usefixtures("client")
def test_connects_by_name_when_first_used(new):
    sqs = new(fifo=True)
    names = [url.rpartition("/")[2] for url in (sqs.url, sqs.dead_url)]
    queue = SqsQueue(sqs_client("eu-west-1"), *names, now=lambda: 77.0)
    assert queue.put([a_mail()]) == [Kept()]
    queue.bury(take_one(queue), DEATH)
    dead_letters = SqsDeadLetters(sqs_client("eu-west-1"), *names)
    [letter] = dead_letters.list(10)
    assert letter.buried_at == 77.0


CALLS = {
    "receive": lambda queue, _: queue.receive(1, 0),
    "depth": lambda queue, _: queue.depth(),
    "list": lambda _, dead_letters: dead_letters.list(10),
    "show": lambda _, dead_letters: dead_letters.show("a"),
    "causes": lambda _, dead_letters: dead_letters.causes(10),
    "redrive": lambda _, dead_letters: dead_letters.redrive(["a"]),
    "drop": lambda _, dead_letters: dead_letters.drop(["a"]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("name", ["http://127.0.0.1/123/missing", "missing", "missing.fifo"])
def test_says_that_a_missing_queue_is_unavailable(client, name, call):
    queue, dead_letters = SqsQueue(client, name, name), SqsDeadLetters(client, name, name)
    assert queue.put([a_mail()]) == [NotKept(reason="SQS answered NonExistentQueue")]
    with pytest.raises(QueueUnavailable, match=r"^SQS answered NonExistentQueue$"):
        call(queue, dead_letters)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.usefixtures("client")
def test_says_that_an_unreachable_queue_is_unavailable(monkeypatch, call):
    problem = "SQS did not answer: EndpointConnectionError"
    with reserved_port() as reservation:
        port = reservation.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://127.0.0.1:{port}")
        client = sqs_client("eu-west-1")
        queue, dead_letters = SqsQueue(client, "a", "b"), SqsDeadLetters(client, "a", "b")
        assert queue.put([a_mail()] * 25) == [NotKept(reason=problem)] * 25
        with pytest.raises(QueueUnavailable, match=rf"^{problem}$"):
            call(queue, dead_letters)


@pytest.mark.parametrize(
    ("region", "endpoint", "variable"),
    [
        (None, None, "LIMBO_REGION"),
        ("no region", None, "LIMBO_REGION"),
        ("eu-west-1", "nonsense", "AWS_ENDPOINT_URL_SQS"),
    ],
)
def test_names_the_variable_it_cannot_start_with(monkeypatch, region, endpoint, variable):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_SQS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint)
    with pytest.raises(SettingsError, match=rf"^{variable}: "):
        sqs_client(region)
