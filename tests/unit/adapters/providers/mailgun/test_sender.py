import json
from urllib.parse import parse_qsl

import pytest
import requests
import responses
from responses.matchers import header_matcher, urlencoded_params_matcher

from limbo.adapters.providers.http_api import HttpApi
from limbo.adapters.providers.mailgun.sender import MailgunSender
from limbo.adapters.providers.mime import message_id
from limbo.domain.delivery.verdict import Accepted, Failed, Fault
from tests.support.mails import a_full_mail

KEY = "key-0123456789abcdef"
BASIC = "YXBpOmtleS0wMTIzNDU2Nzg5YWJjZGVm"  # "api:" and the key, in base64
MESSAGES = "https://api.mailgun.net/v3/mg.example/messages"
OK = {"id": "<20240101.1@mg.example>", "message": "Queued. Thank you."}


@pytest.fixture
def mailgun():
    with responses.RequestsMock() as mailgun:
        yield mailgun


@pytest.fixture
def sender():
    return MailgunSender.connect(name="mailgun", key=KEY, domain="mg.example")


def failure(sender: MailgunSender) -> Failed:
    verdict = sender.send(a_full_mail())
    assert isinstance(verdict, Failed)
    return verdict


def test_posts_the_mail_as_a_form(sender, mailgun):
    mailgun.post(MESSAGES, json=OK, match=[header_matcher({"Authorization": f"Basic {BASIC}"})])
    mail = a_full_mail()
    assert sender.send(mail) == Accepted("<20240101.1@mg.example>")
    assert parse_qsl(mailgun.calls[0].request.body, strict_parsing=True) == [
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


@pytest.mark.parametrize("suffix", ["", "/", "/v3", "/v3/"])
def test_the_url_may_end_as_mailgun_writes_it(mailgun, suffix):
    url = "https://api.eu.mailgun.net"
    mailgun.post(f"{url}/v3/mg.example/messages", json=OK)
    sender = MailgunSender.connect(name="m", key=KEY, domain="mg.example", url=url + suffix)
    assert isinstance(sender.send(a_full_mail()), Accepted)


def test_a_domain_leads_nowhere_else(mailgun):
    mailgun.post("https://api.mailgun.net/v3/..%2Fa%3Fb%20%C3%BC/messages", json=OK)
    sender = MailgunSender.connect(name="m", key=KEY, domain="../a?b ü")
    assert isinstance(sender.send(a_full_mail()), Accepted)


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, "Mailgun Magnificent API", Fault.ACCOUNT),
        (200, "", Fault.UNKNOWN),
        (200, "{}", Fault.UNKNOWN),
        (200, '{"id": ""}', Fault.UNKNOWN),
        (200, '{"id": 7}', Fault.UNKNOWN),
        (200, "[1]", Fault.UNKNOWN),
        (200, b"\xff\xfe", Fault.UNKNOWN),
        (200, "[" * 100_000, Fault.UNKNOWN),
        (201, "Mailgun Magnificent API", Fault.UNKNOWN),
        (202, '{"id": "x"}', Fault.UNKNOWN),
        (302, "", Fault.ACCOUNT),
        (403, '{"message": "m"}', Fault.IDENTITY),
        *((status, '{"message": "m"}', Fault.ACCOUNT) for status in (401, 402, 404, 407)),
        *((status, '{"message": "m"}', Fault.RATE) for status in (408, 425, 429)),
        *((status, '{"message": "m"}', Fault.MAIL) for status in (400, 405, 413, 415, 422, 451)),
        *((status, '{"message": "m"}', Fault.UNKNOWN) for status in (502, 504)),
        *((status, '{"message": "m"}', Fault.OUTAGE) for status in (500, 501, 503, 599)),
    ],
)
def test_blames_by_the_status(sender, mailgun, status, body, fault):
    mailgun.post(MESSAGES, status=status, body=body)
    assert failure(sender).fault is fault
    assert len(mailgun.calls) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Domain mg.example is not allowed to send: the domain is unverified", Fault.IDENTITY),
        ("Free accounts are for tests. Please add it to authorized recipients", Fault.IDENTITY),
        ("key@account.example may not be used", Fault.IDENTITY),
        ("mg.plan.example is not your domain; my-account.example is", Fault.IDENTITY),
        ("", Fault.IDENTITY),
        ("Invalid private key", Fault.ACCOUNT),
        ("Your account has been disabled.", Fault.ACCOUNT),
        ("Not allowed with your plan", Fault.ACCOUNT),
        ("API_KEYS of this kind may not send", Fault.ACCOUNT),
    ],
)
def test_a_403_is_about_one_address_unless_it_speaks_of_the_account(sender, mailgun, text, fault):
    for body in (text, json.dumps({"message": text})):
        mailgun.post(MESSAGES, status=403, body=body)
        assert failure(sender).fault is fault


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (requests.ConnectTimeout("no"), Failed(Fault.OUTAGE, "not reached: ConnectTimeout: no")),
        (requests.ConnectionError("no"), Failed(Fault.OUTAGE, "not reached: ConnectionError: no")),
        (requests.ReadTimeout("no"), Failed(Fault.UNKNOWN, "no answer: ReadTimeout: no")),
    ],
)
def test_no_answer_is_an_outage_or_leaves_the_mail_in_doubt(sender, mailgun, error, verdict):
    mailgun.post(MESSAGES, body=error)
    assert sender.send(a_full_mail()) == verdict


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, '{"message": "Invalid private key"}', "401 Unauthorized: Invalid private key"),
        (
            403,
            '{"message": "Ann@sender.example may not send to bob@one.example"}',
            "403 Forbidden: <from> may not send to <recipient>",
        ),
        (401, "Forbidden", "401 Unauthorized: no message of Mailgun's"),
        (400, '{"message": 5}', "400 Bad Request: no message of Mailgun's"),
        (
            400,
            '{"message": "a\\nb\\u0000c <x@y.example>"}',
            "400 Bad Request: a b c <<address>>",
        ),
        (400, f'{{"message": "{KEY}, {BASIC}"}}', "400 Bad Request: <key>, <key>"),
    ],
)
def test_the_reason_is_the_status_and_mailguns_message(sender, mailgun, status, body, reason):
    mailgun.post(MESSAGES, status=status, body=body)
    assert failure(sender).reason == reason


def test_masks_a_key_that_mailgun_repeats_quoted(mailgun):
    mailgun.post(MESSAGES, status=400, body=json.dumps({"message": "user=a%2Fb"}))
    sender = MailgunSender.connect(name="m", key="a/b", domain="mg.example")
    assert failure(sender).reason == "400 Bad Request: user=<key>"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("soon", None), ("Thu, 01 Jan 1970 00:10:00 GMT", 540.0)],
)
def test_reads_retry_after(mailgun, value, seconds):
    mailgun.post(MESSAGES, status=429, headers={"Retry-After": value})
    api = HttpApi.connect("https://api.mailgun.net", headers={}, pool_size=1, timeout=5.0)
    sender = MailgunSender(api, name="m", domain="mg.example", secrets=(), now=lambda: 60.0)
    assert failure(sender).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (200, json.dumps(OK), None),
        (400, '{"message": "from parameter is missing"}', None),
        (401, '{"message": "x"}', "401 Unauthorized: x"),
        (404, '{"message": "Domain not found"}', "404 Not Found: Domain not found"),
        (200, "Mailgun Magnificent API", "200 OK: no message of Mailgun's"),
        (503, "", "503 Service Unavailable: no message of Mailgun's"),
        (200, requests.ReadTimeout("no"), "no answer: ReadTimeout: no"),
    ],
)
def test_a_check_tells_what_is_wrong_and_sends_nothing(sender, mailgun, status, body, problem):
    nothing = urlencoded_params_matcher({"o:testmode": "yes"})
    mailgun.post(MESSAGES, status=status, body=body, match=[nothing])
    assert sender.check() == problem
