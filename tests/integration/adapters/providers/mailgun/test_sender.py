import json
import ssl
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from limbo.adapters.providers.http_api import BoundedSession
from limbo.adapters.providers.mailgun.sender import MailgunSender
from limbo.adapters.providers.mime import message_id
from limbo.domain.delivery.verdict import Accepted, Failed, Fault
from tests.contracts.sender import Mood, SenderContract, a_mail
from tests.support.stub_provider import MAILGUN_OK, Behaviour, ProviderResponse, StubProvider

KEY = "key-0123456789abcdef"
BASIC = "YXBpOmtleS0wMTIzNDU2Nzg5YWJjZGVm"  # "api:" and the key, in base64
TIMEOUT = 0.3
ECHO = f"no such ann@sender.example, bob@one.example for {KEY}, Basic {BASIC}; " + KEY * 30

MOODS = {
    Mood.ACCEPTING: MAILGUN_OK,
    Mood.CHECKED: ProviderResponse(status=400, body='{"message": "from parameter is missing"}'),
    Mood.REFUSING: ProviderResponse(status=400, body=json.dumps({"message": ECHO})),
    Mood.THROTTLING: ProviderResponse(status=429, body=json.dumps({"message": ECHO})),
    Mood.DENYING: ProviderResponse(status=401, body="Forbidden"),
    Mood.FAILING: ProviderResponse(status=503, body=f"<h1>{ECHO}</h1>"),
    Mood.SILENT: Behaviour.HANG,
    Mood.RESETTING: Behaviour.RESET,
}


class StubMailgun(StubProvider):
    secrets = (KEY, BASIC, KEY[:12])

    def be(self, mood: Mood) -> None:
        self.default = MOODS[mood]

    def calls(self) -> int:
        return len(self.requests)


@pytest.fixture
def provider():
    with StubMailgun() as stub:
        yield stub


def connect(url: str, timeout: float = TIMEOUT) -> MailgunSender:
    return MailgunSender.connect(
        name="mailgun", key=KEY, domain="mg.example", url=url, pool_size=32, timeout=timeout
    )


@pytest.fixture
def sender(provider):
    return connect(provider.url)


class TestMailgunSender(SenderContract):
    @pytest.fixture
    def provider(self):
        with StubMailgun() as stub:
            yield stub

    @pytest.fixture
    def sender(self, provider):
        return connect(provider.url, timeout=2.0)


def test_a_timeout_may_be_whole_seconds(provider):
    assert isinstance(connect(provider.url, timeout=5).send(a_mail()), Accepted)


def test_posts_the_mail_as_a_form(sender, provider):
    mail = a_mail()
    assert sender.send(mail) == Accepted("<20240101.1@mg.example>")
    (request,) = provider.requests
    assert request.path == "/v3/mg.example/messages"
    assert request.headers["authorization"] == f"Basic {BASIC}"
    assert request.form == [
        ("from", "Ann <ann@sender.example>"),
        ("to", "Bob Ödön <bob@one.example>"),
        ("to", "second@two.example"),
        ("cc", "carol@three.example"),
        ("bcc", "dave@four.example"),
        ("subject", "Grüße"),
        ("text", "Hello Wörld\n.\n"),
        ("h:Message-Id", message_id(mail)),
        ("v:limbo_id", mail.id),
    ]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (ProviderResponse(status=401, body='{"message": "x"}'), "401 Unauthorized: x"),
        (
            ProviderResponse(status=404, body='{"message": "Domain not found"}'),
            "404 Not Found: Domain",
        ),
        (ProviderResponse(status=200, body="Mailgun Magnificent API"), "200 OK: no message"),
        (ProviderResponse(status=503), "503 Service Unavailable"),
        (Behaviour.HANG, "no answer"),
    ],
)
def test_a_check_tells_what_is_wrong_and_sends_nothing(sender, provider, answer, problem):
    provider.script(answer)
    assert sender.check().startswith(problem)
    assert provider.requests[0].form == [("o:testmode", "yes")]


@pytest.mark.parametrize("suffix", ["", "/", "/v3", "/v3/"])
def test_the_url_may_end_as_mailgun_writes_it(provider, suffix):
    assert isinstance(connect(provider.url + suffix).send(a_mail()), Accepted)
    assert provider.requests[0].path == "/v3/mg.example/messages"


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, "Mailgun Magnificent API", Fault.ACCOUNT),
        (200, "", Fault.ACCOUNT),
        (200, "{}", Fault.ACCOUNT),
        (200, '{"id": ""}', Fault.ACCOUNT),
        (200, '{"id": 7}', Fault.ACCOUNT),
        (200, "[1]", Fault.ACCOUNT),
        (200, b"\xff\xfe", Fault.ACCOUNT),
        (200, "[" * 100_000, Fault.ACCOUNT),
        (202, '{"id": "x"}', Fault.ACCOUNT),
        (302, "", Fault.ACCOUNT),
        *((status, '{"message": "m"}', Fault.ACCOUNT) for status in (401, 402, 403, 404, 407)),
        *((status, '{"message": "m"}', Fault.RATE) for status in (408, 425, 429)),
        *((status, '{"message": "m"}', Fault.MAIL) for status in (400, 405, 413, 415, 422, 451)),
        *((status, '{"message": "m"}', Fault.OUTAGE) for status in (500, 502, 503, 504, 599)),
    ],
)
def test_blames_by_the_status(sender, provider, status, body, fault):
    provider.script(ProviderResponse(status=status, body=body))
    verdict = sender.send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is fault
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            ProviderResponse(status=401, body='{"message": "Invalid private key"}'),
            "401 Unauthorized: Invalid private key",
        ),
        (
            ProviderResponse(status=401, body="Forbidden"),
            "401 Unauthorized: no message of Mailgun's",
        ),
        (
            ProviderResponse(status=400, body='{"message": 5}'),
            "400 Bad Request: no message of Mailgun's",
        ),
        (
            ProviderResponse(status=400, body='{"message": "a\\nb\\u0000c <x@y.example>"}'),
            "400 Bad Request: a b c <<address>>",
        ),
    ],
)
def test_the_reason_is_the_status_and_mailguns_message(sender, provider, answer, reason):
    provider.script(answer)
    verdict = sender.send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("-1", None),
        ("9" * 5000, None),
        ("nan", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:10:00 GMT", 540.0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 0.0),
        ("Thu, 99 Jan 99999 00:00:30 GMT", None),
        (formatdate(100, usegmt=True), 40.0),
    ],
)
def test_reads_retry_after(provider, value, seconds):
    sender = MailgunSender(
        BoundedSession(1),
        name="mailgun",
        key=KEY,
        domain="mg.example",
        url=provider.url,
        timeout=5.0,
        now=lambda: 60.0,
    )
    provider.script(ProviderResponse(status=429, headers={"Retry-After": value}))
    verdict = sender.send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.retry_after == seconds


@pytest.mark.parametrize(
    "answer",
    [
        Behaviour.CUT,
        ProviderResponse(body="{", headers={"Content-Length": "9"}),
        ProviderResponse(body="zz\r\n", headers={"Transfer-Encoding": "chunked"}),
        ProviderResponse(headers={"Content-Length": "1, 2"}),
        ProviderResponse(headers={"Content-Encoding": "gzip"}, body="no gzip"),
        ProviderResponse(status=0),
        ProviderResponse(headers={"X": "x" * 70_000}),
        ProviderResponse(headers={f"X{i}": "x" for i in range(200)}),
    ],
    ids=lambda answer: repr(answer)[:60],
)
def test_an_answer_that_is_not_whole_leaves_the_mail_in_doubt(sender, provider, answer):
    provider.script(answer)
    verdict = sender.send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.UNKNOWN
    assert len(provider.requests) == 1


def test_a_dripped_answer_is_awaited_no_longer_than_a_silent_one(sender, provider):
    provider.script(ProviderResponse(body=MAILGUN_OK.body, drip=0.02))
    start = time.monotonic()
    verdict = sender.send(a_mail())
    assert time.monotonic() - start < TIMEOUT + 0.3
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.UNKNOWN


def test_a_huge_answer_is_not_read_to_its_end(provider):
    provider.script(ProviderResponse(status=500, body="x" * 50_000_000))
    sender = connect(provider.url, timeout=5.0)
    verdict = sender.send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.OUTAGE
    assert isinstance(sender.send(a_mail()), Accepted)


def test_a_connection_is_used_again(sender, provider):
    for _ in range(5):
        assert isinstance(sender.send(a_mail()), Accepted)
    assert provider.connections == 1


def test_a_connection_that_was_closed_while_idle_costs_no_mail(sender, provider):
    provider.default = replace(MAILGUN_OK, close=True)
    for _ in range(5):
        assert isinstance(sender.send(a_mail()), Accepted)
        time.sleep(0.05)
    assert provider.connections == 5


def test_a_redirect_takes_neither_mail_nor_key_anywhere(sender, provider):
    with StubProvider() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            provider.script(ProviderResponse(status=status, headers={"Location": elsewhere.url}))
            verdict = sender.send(a_mail())
            assert isinstance(verdict, Failed)
            assert verdict.fault is Fault.ACCOUNT
        assert elsewhere.connections == 0


def test_cookies_are_not_kept(sender, provider):
    provider.script(ProviderResponse(body=MAILGUN_OK.body, headers={"Set-Cookie": "a=b"}))
    sender.send(a_mail())
    sender.send(a_mail())
    assert "cookie" not in provider.requests[1].headers


def test_nobody_listens_is_an_outage():
    with StubProvider() as stub:
        url = stub.url
    verdict = connect(url).send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.OUTAGE
    assert verdict.reason.startswith("not reached: ConnectionRefusedError")


def test_an_unknown_host_is_an_outage():
    verdict = connect("http://nowhere.invalid").send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.OUTAGE


def test_a_tls_error_is_an_outage(provider):
    verdict = connect(provider.url.replace("http:", "https:")).send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.OUTAGE
    assert "SSL" in verdict.reason


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and the certificate of 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stub")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "stub.pem"
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + built.public_bytes(pem)
    )
    return path


def test_keeps_its_limits_over_tls_too(certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with StubProvider(tls=context) as stub:
        stub.script(
            MAILGUN_OK,
            MAILGUN_OK,
            replace(MAILGUN_OK, drip=0.02),
            Behaviour.HANG,
            Behaviour.CUT,
            Behaviour.RESET,
            ProviderResponse(status=401),
            Behaviour.CLOSE,
        )
        sender = connect(stub.url)
        verdicts = [sender.send(a_mail()) for _ in range(7)]
        verdicts.append(connect(stub.url, 5.0).send(a_mail(message="x" * 20_000_000)))
        assert [getattr(verdict, "fault", None) for verdict in verdicts] == [
            *(None, None),
            *[Fault.UNKNOWN] * 4,
            *(Fault.ACCOUNT, Fault.OUTAGE),
        ]
        assert len(stub.requests) == 8


def test_a_certificate_of_an_unknown_authority_is_an_outage(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with StubProvider(tls=context) as stub:
        verdict = connect(stub.url).send(a_mail())
        assert isinstance(verdict, Failed)
        assert verdict.fault is Fault.OUTAGE
        assert "certificate verify failed" in verdict.reason
        assert stub.requests == []


def test_a_reset_before_the_mail_was_written_is_an_outage(provider):
    provider.script(Behaviour.CLOSE)
    verdict = connect(provider.url, timeout=5.0).send(a_mail(message="x" * 20_000_000))
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.OUTAGE


def test_a_refusal_before_the_mail_was_written_leaves_no_doubt(provider):
    provider.script(ProviderResponse(status=413, body='{"message": "too large"}', early=True))
    verdict = connect(provider.url, timeout=5.0).send(a_mail(message="x" * 20_000_000))
    assert isinstance(verdict, Failed)
    assert verdict.fault in (Fault.MAIL, Fault.OUTAGE)  # the reset may overtake the answer


def test_an_environments_netrc_does_not_replace_the_key(provider, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    connect(provider.url).send(a_mail())
    assert provider.requests[0].headers["authorization"] == f"Basic {BASIC}"


def test_an_environments_proxy_is_used_within_the_same_limits(provider, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", provider.url)
    monkeypatch.setenv("NO_PROXY", "")
    provider.script(ProviderResponse(), ProviderResponse(body="x", drip=0.02), Behaviour.RESET)
    sender = connect("http://mailgun.invalid")
    verdicts = [sender.send(a_mail()) for _ in range(3)]
    assert [verdict.fault for verdict in verdicts] == [Fault.ACCOUNT, Fault.UNKNOWN, Fault.UNKNOWN]
    assert provider.requests[0].path == "http://mailgun.invalid/v3/mg.example/messages"
