"""The whole flow with real processes: on AWS by the original's variables, and in `limbo dev`."""

import contextlib
import json
import re
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from tests.support.processes import LIMBO, Fleet
from tests.support.stub_provider import MAILGUN_OK, Answer, StubProvider
from tests.support.working import until

MAIL = {"from": "me@example.com", "to": "you@example.com", "subject": "Hello", "message": "Hi"}
SOURCE = "limbo@example.com"


def post(url: str, document: dict) -> tuple[int, dict, str]:
    """Post a mail; return the status, the body and the Location."""
    request = urllib.request.Request(f"{url}/v1/mail", json.dumps(document).encode())
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer), answer.headers["Location"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), ""


@pytest.fixture(params=[True, False], ids=["fifo", "standard"])
def cloud(request, aws, tmp_path):
    """The settings of a limbo on AWS as the original had them, and what it talks to."""
    ses = boto3.client(
        "ses",
        endpoint_url=aws.url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    ses.verify_email_identity(EmailAddress=SOURCE)
    queue = aws.queue(fifo=request.param)
    dead = aws.queue(fifo=request.param)
    with StubProvider(default=MAILGUN_OK) as mailgun:
        fleet = Fleet(
            tmp_path,
            {
                "QUEUE": queue.rsplit("/", 1)[1],
                "DEADLETTERQUEUE": dead.rsplit("/", 1)[1],
                "REGION": "eu-west-1",
                "SESSOURCE": SOURCE,
                "MAILGUN": "key-geheim",
                "DOMAIN": "mg.example.com",
                "LIMBO_MAILGUN_URL": mailgun.url,
                "LIMBO_ALLOW_ANONYMOUS": "true",
                "LIMBO_BREAKER_OPEN_SECONDS": "3600",
                "LIMBO_BREAKER_OPEN_MAX_SECONDS": "3600",
                "AWS_ENDPOINT_URL": aws.url,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            },
        )
        try:
            yield fleet, mailgun, aws.sqs, queue, dead
        finally:
            fleet.close()


def told(fleet: Fleet, event: str) -> list[Mapping[str, object]]:
    """Return the lines of that event in all logs."""
    return [line for line in fleet.events() if line["event"] == event]


def waiting(sqs, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in attributes.values())


def test_mails_flow_on_aws_by_the_original_variables(cloud):
    fleet, _, sqs, queue, dead = cloud
    api, worker = fleet.start("api", "api"), fleet.start("worker", "worker")
    api.wait_until_ready()
    worker.wait_until_ready()
    with ThreadPoolExecutor(8) as pool:  # equal mails, posted at once
        answers = list(pool.map(lambda _: post(api.url, MAIL), range(20)))
    assert {(status, body["Message"]) for status, body, _ in answers} == {(200, "submitted")}
    ids = {location.rsplit("/", 1)[1] for _, _, location in answers}
    assert len(ids) == 20
    until(lambda: len(told(fleet, "mail sent")) == 20, 30)
    sent = {event["mail_id"]: event["sender"] for event in told(fleet, "mail sent")}
    assert set(sent) == ids
    assert set(sent.values()) == {"ses", "mailgun"}, "the order is shuffled for each mail"
    until(lambda: waiting(sqs, queue) == 0)
    assert waiting(sqs, dead) == 0
    assert worker.terminate()[0] == api.terminate()[0] == 0
    assert "key-geheim" not in api.log() + worker.log()


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (Answer(status=400, body=b'{"message": "to parameter is not a valid address"}'), "dead"),
        (Answer(status=401, body="Forbidden"), "kept"),
    ],
)
def test_a_refusal_buries_the_mail_and_a_bad_key_does_not(cloud, answer, fate):
    fleet, mailgun, sqs, queue, dead = cloud
    mailgun.script(*[answer] * 10)
    fleet.environ["LIMBO_SENDERS"] = "mailgun"
    api, worker = fleet.start("api", "api"), fleet.start("worker", "worker")
    api.wait_until_ready()
    worker.wait_until_ready()
    assert post(api.url, MAIL)[0] == 200
    if fate == "dead":
        until(lambda: waiting(sqs, dead) == 1, 20)
        until(lambda: waiting(sqs, queue) == 0)
        until(lambda: bool(told(fleet, "mail dead")))  # a mail is settled before it is logged
        (event,) = told(fleet, "mail dead")
        assert event["cause"] == "mail"
    else:
        until(lambda: worker.metric('limbo_breaker_state{sender="mailgun"}') == 2, 20)
        until(lambda: bool(told(fleet, "mail deferred")))
        assert waiting(sqs, queue) == 1
        assert waiting(sqs, dead) == 0
    assert len(mailgun.requests) == 1


def test_a_queue_that_is_down_is_a_503_and_never_submitted(tmp_path):
    fleet = Fleet(
        tmp_path,
        {
            "LIMBO_QUEUE": "https://127.0.0.1:9/1/mails",
            "LIMBO_DEAD_LETTER_QUEUE": "https://127.0.0.1:9/1/dead",
            "LIMBO_REGION": "eu-west-1",
            "LIMBO_SENDERS": "fake",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        },
    )
    try:
        api = fleet.start("api", "api")
        api.wait_until_ready()
        status, body, _ = post(api.url, MAIL)
        assert (status, body["Message"]) == (503, "not submitted")
        assert api.status("/readyz") == 503
        assert api.status("/health") == 200
    finally:
        fleet.close()


@pytest.fixture
def dev(tmp_path):
    fleet = Fleet(tmp_path, {})
    try:
        process = fleet.start("dev", "dev")
        process.wait_until_ready()
        yield process
    finally:
        fleet.close()


def test_development_shows_what_becomes_of_each_mail(dev):
    assert post(dev.url, MAIL)[0] == 200
    assert post(dev.url, {**MAIL, "to": "outage+ok@limbo.test"})[0] == 200
    assert post(dev.url, {**MAIL, "to": "reject@limbo.test"})[0] == 200
    until(lambda: dev.log().count("mail sent") == 2 and "mail dead" in dev.log())
    assert "provider failed" in dev.log()
    assert f"curl -i {dev.url}/v1/mail" in dev.log()
    code, seconds = dev.terminate()
    assert code == 0
    assert seconds < 20
    assert "are gone" not in dev.log()


def test_development_says_what_is_gone_with_its_queue_in_memory(dev):
    assert post(dev.url, {**MAIL, "to": "outage@limbo.test"})[0] == 200
    until(lambda: "mail deferred" in dev.log())
    assert dev.terminate()[0] == 0
    assert "unsent mails are gone" in dev.log()


def test_the_line_that_development_prints_can_be_pasted(dev):
    until(lambda: "Ctrl-C" in dev.log())
    line = re.search(r"curl -i .*", dev.log())
    assert line is not None
    printed = subprocess.run(line[0], shell=True, capture_output=True, check=True, timeout=60)
    assert b"200 OK" in printed.stdout
    assert b'{"Message":"submitted"}' in printed.stdout


@pytest.mark.promtool
def test_promtool_has_nothing_to_say_about_either_metrics(tmp_path):
    fleet = Fleet(tmp_path, {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/q.db", "LIMBO_SENDERS": "fake"})
    try:
        api, worker = fleet.start("api", "api"), fleet.start("worker", "worker")
        for process in (api, worker):
            process.wait_until_ready()
        post(api.url, MAIL)
        post(api.url, {**MAIL, "to": "reject@limbo.test"})
        until(lambda: worker.metric('limbo_mails_settled_total{outcome="dead"}') == 1)
        for process in (api, worker):
            with urllib.request.urlopen(f"{process.url}/metrics", timeout=30) as answer:
                text = answer.read()
            assert b"limbo_queue_messages" in text
            checked = subprocess.run(
                ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
            )
            assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    finally:
        fleet.close()


def test_an_api_that_could_send_for_anybody_does_not_start(tmp_path):
    environ = {"PATH": "", "MAILGUN": "key-geheim", "DOMAIN": "mg.example.com"}
    ended = subprocess.run(
        [*LIMBO, "api"], env=environ, cwd=tmp_path, capture_output=True, check=False, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"limbo: LIMBO_ALLOW_ANONYMOUS must be true")
    assert ended.stderr.count(b"\n") == 1
    assert b"geheim" not in ended.stderr


def test_a_second_signal_ends_a_worker_at_once(tmp_path):
    fleet = Fleet(
        tmp_path,
        {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/q.db", "LIMBO_FAKE_SCRIPT": "slow(20)"},
    )
    fleet.environ["LIMBO_SENDERS"] = "fake"
    try:
        api, worker = fleet.start("api", "api"), fleet.start("worker", "worker")
        for process in (api, worker):
            process.wait_until_ready()
        post(api.url, MAIL)
        in_flight = 'limbo_queue_messages{state="in_flight"}'
        until(lambda: worker.metric(in_flight) == 1, 20)
        worker.signal(signal.SIGTERM)
        until(lambda: bool(told(fleet, "stopping")))
        began = time.monotonic()
        code, _ = worker.terminate()
        assert code == 1
        assert time.monotonic() - began < 8
    finally:
        fleet.close()


def shown(api, place: str) -> dict:
    with urllib.request.urlopen(f"{api.url}{place}?wait=30", timeout=60) as answer:
        return json.load(answer)


def _contents(path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM limbo_contents")
        return count


def test_a_worker_forgets_contents_and_records_when_it_is_told_to(tmp_path):
    fleet = Fleet(tmp_path, {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/q.db", "LIMBO_SENDERS": "fake"})
    moment = {"LIMBO_KEEP_BODIES_DAYS": "0.00001"}  # 0.9 s
    try:
        api, worker = fleet.start("api", "api"), fleet.start("worker", "worker")
        for process in (api, worker):
            process.wait_until_ready()
        _, _, place = post(api.url, {**MAIL, "cc": "third@example.com"})
        assert shown(api, place)["cc"] == ["third@example.com"]
        worker.terminate()
        time.sleep(1)
        second = fleet.start("worker", "second", moment)
        second.wait_until_ready()
        until(lambda: _contents(tmp_path / "q.db") == 0)
        mail = shown(api, place)  # who is in which field stays known
        assert (mail["to"], mail["cc"]) == (["you@example.com"], ["third@example.com"])
        second.terminate()
        fleet.start("worker", "third", {"LIMBO_KEEP_LEDGER_DAYS": "0.00001"})
        until(lambda: api.status(place) == 404, 20)
    finally:
        fleet.close()
