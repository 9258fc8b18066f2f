import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import boto3
import pytest
import requests

from limbo.adapters.providers.ses.sender import SesSender
from limbo.domain.delivery.verdict import Accepted, Failed, Fault
from limbo.domain.mail.mail import Mail
from tests.contracts.http_sender import HttpSenderContract, MoodyStub
from tests.contracts.sender import Mood
from tests.support.mail_fields import SAMPLES, changed
from tests.support.mails import a_full_mail
from tests.support.processes import reserved_port
from tests.support.stub_provider import Answer, Behaviour
from tests.support.tls import server_context, write_certificate

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaD" * 10
ECHO = f"ann@sender.example and bob@one.example with {SECRET} or {TOKEN}"
OK = Answer(body='{"MessageId": "0100-1"}')
SANDBOX = "the account is in the sandbox: only verified addresses get mail from it"
UNVERIFIED = "the source is no verified identity in this region"


def refusal(code: str, text: str = "", status: int = 400) -> Answer:
    """Answer as version 2 of the API does: the code in a header, the text in the body."""
    return Answer(
        status=status, body=json.dumps({"message": text}), headers={"x-amzn-ErrorType": code}
    )


MOODS = {
    Mood.ACCEPTING: OK,
    Mood.CHECKED: Answer(body='{"SendingEnabled": true}'),
    Mood.REFUSING: refusal("MessageRejected", ECHO),
    Mood.THROTTLING: refusal("TooManyRequestsException", ECHO, 429),
    Mood.DENYING: refusal("InvalidSignatureException", f"{ECHO}\n\nhost:a\n{TOKEN}", 403),
    Mood.UNVERIFIED: refusal("MessageRejected", f"Email address is not verified. {ECHO}"),
    Mood.FAILING: Answer(status=503, body=f"<h1>{ECHO}</h1>"),
    Mood.SILENT: Behaviour.HANG,
    Mood.RESETTING: Behaviour.RESET,
}


class StubSes(MoodyStub):
    moods = MOODS
    secrets = (SECRET, TOKEN, SECRET[:12], TOKEN[:12])


@pytest.fixture(scope="module", autouse=True)
def credentials():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_SESSION_TOKEN", TOKEN)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


def connect(*, source: str | None = None, timeout: float = 20.0) -> SesSender:
    return SesSender.connect(
        name="ses", region="eu-west-1", source=source, pool_size=32, timeout=timeout
    )


@pytest.fixture(scope="module")
def stub():
    with StubSes(OK) as running:
        yield running


@pytest.fixture(scope="module")
def connected(credentials, stub):  # noqa: ARG001 - botocore reads them as the client is built
    """One client for all: to build it takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_SESV2", stub.url)
        return connect()


@pytest.fixture
def provider(stub, monkeypatch):
    stub.default = OK
    stub.script()
    stub.requests.clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", stub.url)
    return stub


@pytest.fixture
def sender(connected):
    return connected


class TestSesSender(HttpSenderContract):
    @pytest.fixture
    def provider(self, provider):
        return provider

    @pytest.fixture
    def sender(self, sender):
        return sender

    @pytest.fixture
    def hasty(self, provider):  # noqa: ARG002 - the client is built for its URL
        return connect(timeout=0.5)

    @pytest.fixture
    def guarded(self, tmp_path, monkeypatch):
        certificate = write_certificate(tmp_path / "stub.pem")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        with StubSes(OK, tls=server_context(certificate)) as stub:
            monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", stub.url)
            yield connect(), stub


def blame(sender: SesSender) -> tuple[Fault, float | None]:
    match sender.send(a_full_mail()):
        case Failed(fault=fault, retry_after=retry_after):
            return fault, retry_after
        case verdict:
            pytest.fail(repr(verdict))


@pytest.mark.parametrize(
    ("answer", "fault", "seconds"),
    [
        (refusal("BadRequestException"), Fault.MAIL, None),
        (refusal("MessageRejected", "Email address is not verified."), Fault.IDENTITY, None),
        (refusal("ThrottlingException", "Maximum sending rate exceeded."), Fault.RATE, 2.0),
        (refusal("TooManyRequestsException", "x", 429), Fault.RATE, None),
        (refusal("Strange", "x", 403), Fault.ACCOUNT, None),
        (refusal("Strange", "x", 500), Fault.OUTAGE, None),
        (refusal("Strange", "x", 502), Fault.UNKNOWN, None),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_an_answer_is_read_as_its_code_text_and_status(sender, provider, answer, fault, seconds):
    provider.script(answer)
    assert blame(sender) == (fault, seconds)
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(status=503, body="<html>"), Fault.OUTAGE),
        (Answer(status=502, body="<html>"), Fault.UNKNOWN),
        (Answer(status=500), Fault.OUTAGE),
        (Answer(status=400, body="<html>"), Fault.MAIL),
        (Answer(status=400, body="[1]"), Fault.UNKNOWN),
        (Answer(status=400, body='{"message": {"a": 1}}'), Fault.MAIL),
        (Answer(status=200, body="[1]"), Fault.UNKNOWN),
        (Answer(status=200, body="<html>"), Fault.UNKNOWN),
        (Answer(status=200, body="{"), Fault.UNKNOWN),
        (Answer(status=200, body="{}"), Fault.UNKNOWN),
        (Answer(status=200, body='{"MessageId": 5}'), Fault.UNKNOWN),
        (Behaviour.CUT, Fault.UNKNOWN),
        (Answer(status=0), Fault.UNKNOWN),
        (Answer(headers={"X": "x" * 70_000}), Fault.UNKNOWN),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_strange_answer_is_no_exception(sender, provider, answer, fault):
    provider.script(answer)
    assert blame(sender)[0] is fault
    assert len(provider.requests) == 1


def test_the_reason_is_the_status_the_code_and_the_text(sender, provider):
    said = "Email address is not verified: a@b.example, ann@sender.example, bob@one.example"
    provider.script(refusal("MessageRejected", said))
    verdict = sender.send(a_full_mail())
    assert isinstance(verdict, Failed)
    assert verdict.reason == (
        "400 MessageRejected: Email address is not verified: <address>, <from>, <recipient>"
    )


def test_an_identity_denied_is_told_without_our_account_and_user(sender, provider):
    said = (
        "User: arn:aws:iam::123456789012:user/limbo is not authorized to perform: ses:SendEmail"
        " on resource: arn:aws:ses:eu-west-1:123456789012:identity/ann@sender.example"
    )
    provider.script(refusal("AccessDeniedException", said, 403))
    assert sender.send(a_full_mail()) == Failed(
        Fault.IDENTITY,
        "403 AccessDeniedException: User: <arn> is not authorized to perform: ses:SendEmail"
        " on resource: identity/<from>",
    )


def test_the_source_is_told_as_a_from(provider):
    provider.script(refusal("MessageRejected", "Email address is not verified: Shop@s.example"))
    verdict = connect(source="shop@s.example").send(a_full_mail())
    assert isinstance(verdict, Failed)
    assert verdict.reason == "400 MessageRejected: Email address is not verified: <from>"


def test_a_reset_before_the_mail_was_written_is_an_outage(sender, provider):
    provider.script(Behaviour.CLOSE)
    verdict = sender.send(a_full_mail(message="x" * 20_000_000))
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.OUTAGE


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(body='{"SendingEnabled": false}'), "sending is paused for this account"),
        (Answer(body='{"SendingEnabled": true, "ProductionAccessEnabled": false}'), SANDBOX),
        (Answer(body='{"SendingEnabled": true, "ProductionAccessEnabled": true}'), None),
        (refusal("AccessDeniedException", "no ses:GetAccount", 403), None),
        (refusal("InvalidSignatureException", "x", 403), "403 InvalidSignatureException: x"),
        (Answer(body="[1]"), "no readable answer: AttributeError"),
    ],
)
def test_a_check_tells_what_is_wrong_and_sends_nothing(sender, provider, answer, problem):
    provider.script(answer)
    assert sender.check() == problem
    assert [request.path for request in provider.requests] == ["/v2/email/account"]


VERIFIED = Answer(body='{"VerifiedForSendingStatus": true}')
PENDING = Answer(body='{"VerifiedForSendingStatus": false}')
MISSING = refusal("NotFoundException", "x", 404)
ADDRESS, HOST, DOMAIN = (
    f"/v2/email/identities/{name}" for name in ("shop%40eu.s.example", "eu.s.example", "s.example")
)


@pytest.mark.parametrize(
    ("answers", "problem", "asked"),
    [
        ([VERIFIED], None, [ADDRESS]),
        ([MISSING, VERIFIED], None, [ADDRESS, HOST]),
        ([PENDING, MISSING, VERIFIED], None, [ADDRESS, HOST, DOMAIN]),
        ([MISSING, MISSING, MISSING], UNVERIFIED, [ADDRESS, HOST, DOMAIN]),
        ([PENDING, MISSING, PENDING], UNVERIFIED, [ADDRESS, HOST, DOMAIN]),
        ([refusal("AccessDeniedException", "x", 403)], None, [ADDRESS]),
        (
            [refusal("TooManyRequestsException", "x", 429)],
            "429 TooManyRequestsException: x",
            [ADDRESS],
        ),
    ],
)
def test_a_check_asks_whether_the_source_is_verified(provider, answers, problem, asked):
    provider.script(MOODS[Mood.CHECKED], *answers)
    assert connect(source="shop@eu.s.example").check() == problem
    assert [request.path for request in provider.requests] == ["/v2/email/account", *asked]


def test_a_check_names_all_that_is_wrong(provider):
    account = Answer(body='{"SendingEnabled": false, "ProductionAccessEnabled": false}')
    provider.script(account, *[MISSING] * 2)
    problem = connect(source="shop@s.example").check()
    assert problem == f"sending is paused for this account; {SANDBOX}; {UNVERIFIED}"


def test_nobody_listens_is_an_outage(monkeypatch):
    with reserved_port() as reservation:
        url = f"http://127.0.0.1:{reservation.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", url)
        assert blame(connect())[0] is Fault.OUTAGE


def test_an_unknown_host_is_an_outage(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://nowhere.invalid")
    assert blame(connect())[0] is Fault.OUTAGE


def test_a_tls_error_is_an_outage(provider, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", provider.url.replace("http:", "https:"))
    assert blame(connect())[0] is Fault.OUTAGE


def test_missing_credentials_are_the_accounts_fault(provider, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert connect().send(a_full_mail()) == Failed(Fault.ACCOUNT, "NoCredentialsError")
    assert provider.requests == []


def test_a_credential_program_that_fails_keeps_its_words_to_itself(provider, monkeypatch, tmp_path):
    first = tmp_path / "first"
    soon = datetime.now(UTC) + timedelta(minutes=1)  # botocore renews what is as near to its end
    first.write_text(
        json.dumps(
            {
                "Version": 1,
                "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
                "SecretAccessKey": SECRET,
                "Expiration": soon.isoformat(),
            }
        )
    )
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat {first} && rm {first} || {{ echo s3cret >&2; exit 1; }}\n")
    program.chmod(0o700)
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {program}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert connect().send(a_full_mail()) == Failed(Fault.ACCOUNT, "CredentialRetrievalError")
    assert provider.requests == []


def test_names_the_recipients_and_not_the_blind_copies_in_the_message(sender, provider):
    assert sender.send(a_full_mail()) == Accepted("0100-1")
    document = json.loads(provider.requests[0].body)
    assert document["FromEmailAddress"] == "ann@sender.example"
    assert document["Destination"] == {
        "ToAddresses": ["bob@one.example", "second@two.example"],
        "CcAddresses": ["carol@three.example"],
        "BccAddresses": ["dave@four.example"],
    }


def test_with_a_source_replies_go_to_the_mails_own_from(provider):
    assert isinstance(connect(source="Shop <shop@s.example>").send(a_full_mail()), Accepted)
    document = json.loads(provider.requests[0].body)
    assert document["FromEmailAddress"] == "shop@s.example"


@pytest.mark.parametrize("name", Mail.fields.names)
def test_with_a_source_each_field_of_a_mail_reaches_ses_too(provider, name):
    assert isinstance(connect(source="shop@s.example").send(changed(Mail, name)), Accepted)
    assert SAMPLES[name].sent in provider.received()


def test_a_source_that_is_no_address_is_refused_at_once():
    with pytest.raises(ValueError, match="@-sign"):
        connect(source="shop")


@pytest.fixture
def moto(aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", aws.url)
    client = boto3.client("sesv2", region_name="eu-west-1")
    with suppress(client.exceptions.AlreadyExistsException):
        client.create_email_identity(EmailIdentity="sender.example")
    client.close()
    return aws.url


def test_moto_takes_the_whole_message(moto):
    verdict = connect().send(a_full_mail())
    assert isinstance(verdict, Accepted)
    sent = requests.get(f"{moto}/moto-api/data.json", timeout=10).json()["ses"]["RawMessage"]
    assert sent[-1]["id"] == verdict.provider_id
    assert "Cc: carol@three.example\r\n" in sent[-1]["raw_data"]
    assert "dave" not in sent[-1]["raw_data"]
    assert "dave@four.example" in sent[-1]["destinations"]


def test_moto_does_not_blame_the_account_for_an_unverified_identity(moto):  # noqa: ARG001
    verdict = connect(source="shop@unverified.example").send(a_full_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.IDENTITY
