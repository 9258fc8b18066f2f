import json
import re
from urllib.parse import urlencode

import pytest

from limbo.adapters.providers.mailgun.sender import MailgunSender
from limbo.adapters.providers.mime import message_bytes
from limbo.domain.delivery.verdict import Accepted, Failed, Fault
from tests.contracts.http_sender import HttpSenderContract, MoodyStub
from tests.contracts.sender import Mood
from tests.support.decoded import everything_in
from tests.support.mails import a_full_mail
from tests.support.stub_provider import (
    MAILGUN_OK,
    Answer,
    Behaviour,
)
from tests.support.tls import server_context, write_certificate
from tests.support.working import until

KEY = "key-0123456789abcdef"
BASIC = "YXBpOmtleS0wMTIzNDU2Nzg5YWJjZGVm"  # "api:" and the key, in base64
ECHO = f"no such ann@sender.example, bob@one.example for {KEY}, Basic {BASIC}; " + KEY * 30

MOODS = {
    Mood.ACCEPTING: MAILGUN_OK,
    Mood.CHECKED: Answer(status=400, body='{"message": "from parameter is missing"}'),
    Mood.REFUSING: Answer(status=400, body=json.dumps({"message": ECHO})),
    Mood.THROTTLING: Answer(status=429, body=json.dumps({"message": ECHO})),
    Mood.DENYING: Answer(status=401, body="Forbidden"),
    Mood.UNVERIFIED: Answer(status=403, body=json.dumps({"message": ECHO.replace("key", "k")})),
    Mood.FAILING: Answer(status=503, body=f"<h1>{ECHO}</h1>"),
    Mood.SILENT: Behaviour.HANG,
    Mood.RESETTING: Behaviour.RESET,
}


VARIABLE = r"(?i)%(recipient|unsubscribe|tag_unsubscribe|mailing_list)[^%]*%"


class StubMailgun(MoodyStub):
    moods = MOODS
    secrets = (KEY, BASIC, KEY[:12])

    def received(self) -> str:
        """Replace what Mailgun documents to replace, in a message before it is decoded."""
        request = self.requests[-1]
        if request.path.endswith(".mime"):
            return everything_in(re.sub(VARIABLE.encode(), b"(replaced)", request.body))
        form = [(name, re.sub(VARIABLE, "(replaced)", value)) for name, value in request.form]
        return everything_in(urlencode(form).encode())


@pytest.fixture
def provider():
    with StubMailgun() as stub:
        yield stub


def connect(url: str, timeout: float = 20.0) -> MailgunSender:
    return MailgunSender.connect(
        name="mailgun", key=KEY, domain="mg.example", url=url, pool_size=32, timeout=timeout
    )


class TestMailgunSender(HttpSenderContract):
    @pytest.fixture
    def provider(self, provider):
        return provider

    @pytest.fixture
    def sender(self, provider):
        return connect(provider.url)

    @pytest.fixture
    def hasty(self, provider):
        return connect(provider.url, timeout=0.5)

    @pytest.fixture
    def guarded(self, tmp_path, monkeypatch):
        certificate = write_certificate(tmp_path / "stub.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        with StubMailgun(tls=server_context(certificate)) as stub:
            yield connect(stub.url), stub


def test_the_form_arrives_as_it_was_written(provider):
    mail = a_full_mail()
    assert connect(provider.url).send(mail) == Accepted("<20240101.1@mg.example>")
    (request,) = provider.requests
    assert request.path == "/v3/mg.example/messages"
    assert request.headers["authorization"] == f"Basic {BASIC}"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form[:2] == [
        ("from", "Ann <ann@sender.example>"),
        ("to", "Bob Ödön <bob@one.example>"),
    ]


def test_a_mail_with_a_variable_of_mailguns_is_posted_as_a_message(provider):
    mail = a_full_mail(message="Write %unsubscribe_url% into your text.\n")
    assert connect(provider.url).send(mail) == Accepted("<20240101.1@mg.example>")
    (request,) = provider.requests
    assert request.path == "/v3/mg.example/messages.mime"
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b"%unsubscribe_url%" not in request.body
    form = [part.partition(b"\r\n\r\n") for part in request.body.split(b"\r\n--")]
    for address in mail.recipients:
        assert sum(text == address.email.encode() for _, _, text in form) == 1
    [(_, _, message)] = [part for part in form if b'name="message"; filename=' in part[0]]
    assert message == message_bytes(mail)
    assert b"dave@four.example" not in message


def test_a_check_is_answered_and_sends_nothing(provider):
    provider.script(Behaviour.HANG)
    assert connect(provider.url, timeout=0.2).check().startswith("no answer")
    until(lambda: provider.requests)
    assert provider.requests[0].form == [("o:testmode", "yes")]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Behaviour.CUT, Fault.UNKNOWN),
        (Answer(status=302, headers={"Location": "/elsewhere"}), Fault.ACCOUNT),
        (Answer(status=500, body="x" * 1_000_000), Fault.OUTAGE),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_whatever_comes_back_is_a_verdict(provider, answer, fault):
    provider.script(answer)
    verdict = connect(provider.url).send(a_full_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is fault
    assert len(provider.requests) == 1


def test_a_dripped_answer_is_no_verdict_on_the_mail(provider):
    provider.script(Answer(body='{"id": "' + "x" * 1000 + '"}', drip=0.02))
    verdict = connect(provider.url, timeout=0.3).send(a_full_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.UNKNOWN
    until(lambda: provider.requests)
    assert len(provider.requests) == 1


def test_a_reset_before_the_mail_was_written_is_an_outage(provider):
    provider.script(Behaviour.CLOSE)
    verdict = connect(provider.url).send(a_full_mail(message="x" * 20_000_000))
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.OUTAGE
