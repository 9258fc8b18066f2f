import asyncio
import json

import pytest
from structlog.testing import capture_logs

from limbo.entrypoints.http.resources.submission.gather import GatherLimits
from limbo.entrypoints.telemetry.address_hash import AddressHash
from limbo.ports.queue import Kept, NotKept
from tests.support.asgi import call
from tests.support.http_app import BODY, MAIL, NOW, HttpApp
from tests.support.working import until

PROBLEM_JSON = {"Accept": "application/problem+json"}


def post(http, body=BODY, headers=None):
    return http.ask("POST", "/v1/mail", body, headers)


def post_in_pieces(http, chunks, headers=None, *, then="end"):
    return http.run(lambda app: call(app, "POST", "/v1/mail", chunks, headers, then=then))


def as_json(**fields):
    return json.dumps(MAIL | fields).encode()


def without(*names):
    return json.dumps({k: v for k, v in MAIL.items() if k not in names}).encode()


def outcome(http, name):
    return http.metric("limbo_mails_submitted_total", outcome=name)


def test_a_mail_is_kept_and_then_said_to_be_submitted():
    http = HttpApp()
    reply = post(http)
    (mail,) = http.outbox.mails
    assert reply.status_code == 200
    assert reply.json() == {"Message": "submitted"}
    assert reply.headers["location"] == f"/v1/mail/{mail.id}"
    assert reply.headers["content-type"] == "application/json"
    assert (mail.subject, mail.message, mail.submitted_at) == ("Hello", "How are you?", NOW)
    assert outcome(http, "submitted") == 1


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", ""]
)
def test_the_body_is_json_whatever_it_calls_itself(content_type):
    assert post(HttpApp(), headers={"Content-Type": content_type}).status_code == 200


def test_a_body_may_come_in_pieces():
    http = HttpApp()
    reply = post_in_pieces(http, [BODY[:10], b"", BODY[10:11], BODY[11:]])
    assert reply.status_code == 200
    assert len(http.outbox.mails) == 1


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (without("subject"), "no subject defined"),
        (without("message"), "no message defined"),
        (without("to"), "no receivers defined"),
        (without("from"), "no from defined"),
        (b"{}", "no subject defined; no message defined; no receivers defined; no from defined"),
        (as_json(subject=1), "subject: must be a string, not a number"),
        (as_json(subject="a\x00b"), "subject: holds a forbidden character (U+0000) at position 1"),
        (as_json(message="\ud800"), "message: holds a forbidden character (U+D800) at position 0"),
        (as_json(to={}), "to: must be a string or a list of strings, not an object"),
        (BODY[:-1], "the body is not JSON: Expecting ',' delimiter at line 1, column 111"),
        (b"", "the body is empty; it must be a JSON object"),
    ],
)
def test_bad_input_is_400_and_says_why(body, problem):
    http = HttpApp()
    reply = post(http, body)
    assert reply.status_code == 400
    code = "not_json" if problem.startswith("the body") else "invalid_mail"
    assert reply.json() == {"Message": "not submitted", "Problem": problem, "code": code}
    assert http.outbox.calls == []
    assert outcome(http, "invalid") == 1


HOSTILE = [
    as_json(subject="\ud800"),
    as_json(**{"from": "\ud800@example.org"}),
    as_json(to=["\udfff <a@example.org>"]),
    as_json(**{"\ud800": 1}),
    as_json(**{"a/b~\x00": {"\udc00": [None]}}),
    as_json(to=[[]] * 50_000),
    as_json(to=[None, 1, True, {}, "", " ", "@", "a@", "@b", "a@b", "<>", '"', "a@b.c," * 99]),
    as_json(**{f"unknown{n}": n for n in range(40_000)}),
    b'{"subject": %s}' % (b"9" * 5000),
    b'{"subject": %s}' % (b"[" * 900 + b"]" * 900),
    b'{"subject": NaN}',
    b'{"subject": "a", "subject": "b"}',
    b'{"subject": "\xff"}',
    b'{"subject": "\\ud800", "to": ["\\udc00"], "from": {}, "message": []}',
    b"[" * 100_000,
    json.dumps([MAIL]).encode(),
    json.dumps(BODY.decode()).encode(),
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("headers", [{}, PROBLEM_JSON], ids=["short", "rfc9457"])
def test_no_input_makes_a_500_or_a_long_answer(body, headers):
    http = HttpApp()
    with capture_logs() as logs:
        reply = post(http, body, headers)
    assert reply.status_code == 400
    assert 0 < len(reply.content) < 10_000
    assert [line["event"] for line in logs if line["log_level"] != "debug"] == [
        "mail not submitted"
    ]
    assert len(str(logs)) < 2000


@pytest.mark.parametrize(
    "fields",
    [
        {"to": "secret"},
        {"to": ["secret@secret", "secret@@secret.org", "secret <secret@secret.org"]},
        {"from": "secret secret@secret.org"},
        {"cc": ["secret.@secret.org", "sec\x00ret@secret.org", "a@b.c, secret@secret.org"]},
        {"subject": "secret\nsecret"},
        {"message": "secret\x00secret"},
        {"subject": {"secret": "secret"}},
        {"secret@example.org": "secret"},
        {"a secret": "secret"},
    ],
)
def test_no_problem_repeats_what_was_sent(fields):
    for headers in ({}, PROBLEM_JSON):
        with capture_logs() as logs:
            reply = post(HttpApp(), as_json(**fields), headers)
        assert reply.status_code == 400
        assert b"secret" not in reply.content
        assert "secret" not in str(logs)


def test_rfc_9457_for_those_who_ask():
    reply = post(HttpApp(), as_json(subject="", to=["bob@example.org", 7], x=1), PROBLEM_JSON)
    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    document = reply.json()
    errors = document.pop("errors")
    assert document == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "; ".join(error["detail"] for error in errors),
        "code": "invalid_mail",
    }
    assert [error["pointer"] for error in errors] == ["/subject", "/to/1", ""]
    assert errors[0]["detail"] == "no subject defined"


def test_the_mail_as_a_resource_for_those_who_prefer_it():
    http = HttpApp()
    fields = {"cc": "Carol <c@example.org>", "bcc": ["d@example.org"], "subject": "Grüße"}
    reply = post(http, as_json(**fields), {"Prefer": "return=representation"})
    assert reply.status_code == 200
    assert reply.headers["preference-applied"] == "return=representation"
    assert reply.json() == {
        "id": http.outbox.mails[0].id,
        "status": "queued",
        "submitted_at": "2023-11-14T22:13:20.250Z",
        "from": "Alice <alice@example.com>",
        "to": ["bob@example.org"],
        "cc": ["Carol <c@example.org>"],
        "bcc": ["d@example.org"],
        "subject": "Grüße",
    }
    assert reply.headers["location"] == f"/v1/mail/{reply.json()['id']}"


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
def test_a_compressed_body_is_415(encoding):
    reply = post(HttpApp(), BODY, {"Content-Encoding": encoding})
    assert reply.status_code == 415
    problem = "the body is compressed; send it without a Content-Encoding"
    code = "body_compressed"
    assert reply.json() == {"Message": "not submitted", "Problem": problem, "code": code}


def test_an_identity_body_is_not_compressed():
    assert post(HttpApp(), BODY, {"Content-Encoding": "Identity"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "length"),
    [
        ([b" " * 60, b" " * 60], None),
        ([b" " * 101], None),
        ([b""], "101"),
        ([b""], "9" * 5000),
    ],
)
def test_a_body_over_the_limit_is_413_and_ends_the_connection(body, length):
    http = HttpApp(body_bytes=100)
    reply = post_in_pieces(http, body, {"Content-Length": length} if length else None)
    assert reply.status_code == 413
    assert reply.headers["connection"] == "close"
    problem = "the body is larger than the 100 bytes that are allowed"
    code = "body_too_large"
    assert reply.json() == {"Message": "not submitted", "Problem": problem, "code": code}
    assert outcome(http, "too_large") == 1


def test_a_body_of_just_the_limit_is_read():
    http = HttpApp(body_bytes=len(BODY))
    assert post(http, BODY, {"Content-Length": str(len(BODY))}).status_code == 200


def test_a_slow_body_is_408_and_ends_the_connection():
    http = HttpApp(body_seconds=0.05)
    reply = post_in_pieces(http, [BODY[:10]], then="stall")
    assert reply.status_code == 408
    assert reply.headers["connection"] == "close"
    problem = "the body did not arrive within 0.05 seconds"
    code = "request_timeout"
    assert reply.json() == {"Message": "not submitted", "Problem": problem, "code": code}
    assert outcome(http, "slow") == 1


def test_a_client_that_goes_away_amid_its_body_is_no_news():
    http = HttpApp()
    with capture_logs() as logs:
        assert post_in_pieces(http, [BODY[:10]], then="gone") is None
    assert logs == []
    assert outcome(http, "aborted") == 1
    labels = {"method": "POST", "route": "/v1/mail", "status": "499"}
    assert http.metric("limbo_http_requests_total", **labels) == 1


def test_a_queue_that_is_down_is_503_and_never_submitted():
    http = HttpApp()
    http.outbox.answer = lambda _: NotKept(reason="cannot reach bob@example.org")
    with capture_logs() as logs:
        reply = post(http)
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == "5"
    assert "location" not in reply.headers
    problem = "the queue did not take the mail; try again later"
    code = "unavailable"
    assert reply.json() == {"Message": "not submitted", "Problem": problem, "code": code}
    assert outcome(http, "unavailable") == 1
    assert "bob@" not in str(logs)


def test_a_mail_that_the_queue_will_never_take_is_413():
    http = HttpApp()
    http.outbox.answer = lambda _: NotKept(reason="over 1 MiB", too_large=True)
    reply = post(http)
    assert reply.status_code == 413
    assert reply.json()["Problem"] == "the mail is larger than the queue takes"


def test_an_overload_is_503():
    http = HttpApp(gather=GatherLimits(mails=0))
    assert post(http).status_code == 503


def test_a_queue_that_does_not_answer_in_time_is_504_and_claims_nothing():
    # One is enough, and so is handed over at once.
    http = HttpApp(gather=GatherLimits(enough=1, seconds=0.05))

    async def use(app):
        http.outbox.gate.clear()
        reply = await call(app, "POST", "/v1/mail", BODY)
        http.outbox.gate.set()
        return reply

    reply = http.run(use)
    until(lambda: http.outbox.calls)
    (mail,) = http.outbox.mails
    assert reply.status_code == 504
    assert reply.json()["Message"] == "unknown"
    assert "may have been submitted" in reply.json()["Problem"]
    assert reply.headers["location"] == f"/v1/mail/{mail.id}"
    assert "retry-after" not in reply.headers  # many clients would post it again by themselves
    assert outcome(http, "unknown") == 1


@pytest.mark.parametrize("key", [None, "a"])
@pytest.mark.parametrize("doubt", ["no answer", "raises"])
def test_a_mail_that_is_perhaps_kept_is_504_and_claims_nothing(doubt, key):
    http = HttpApp()
    if doubt == "raises":
        http.outbox.error = KeyError("bob@example.org")
    else:
        reason = "no answer about bob@example.org"
        http.outbox.answer = lambda _: NotKept(reason=reason, in_doubt=True)
    with capture_logs() as logs:
        reply = post(http, headers=None if key is None else {"Idempotency-Key": key})
    (mail,) = http.outbox.mails
    assert (reply.status_code, reply.json()["Message"]) == (504, "unknown")
    assert "may have been submitted" in reply.json()["Problem"]
    told = reply.headers.get("location"), reply.headers.get("retry-after")
    assert told == ((f"/v1/mail/{mail.id}", None) if key is None else (None, "5"))
    assert ("under the same Idempotency-Key" in reply.json()["Problem"]) is (key is not None)
    assert outcome(http, "unknown") == 1
    (line,) = (line for line in logs if line["event"] == "mail perhaps kept")
    assert line["mail_id"] == mail.id
    assert "bob@" not in str(line)


def test_many_mails_at_once_are_each_answered_for_themselves():
    http = HttpApp()
    no = NotKept(reason="no")
    http.outbox.answer = lambda mail: no if mail.subject == "7" else Kept()

    async def use(app):
        bodies = [as_json(subject=str(n)) for n in range(20)]
        return await asyncio.gather(*(call(app, "POST", "/v1/mail", body) for body in bodies))

    replies = http.run(use)
    assert [reply.status_code for reply in replies] == [200] * 7 + [503] + [200] * 12
    assert len(http.outbox.calls) == 1
    for mail in http.outbox.mails:
        location = replies[int(mail.subject)].headers.get("location")
        assert location == (None if mail.subject == "7" else f"/v1/mail/{mail.id}")


def test_a_submission_is_one_log_line_without_address_or_content():
    hash_address = AddressHash(b"a secret of this test")
    http = HttpApp(address_hash=hash_address)
    with capture_logs() as logs:
        post(http, as_json(cc="carol@example.org"))
    (line,) = (line for line in logs if line["event"] == "mail submitted")
    assert line["mail_id"] == http.outbox.mails[0].id
    assert line["from"] == hash_address("alice@example.com")
    assert line["recipients"] == 2
    assert line["to"] == [
        hash_address("bob@example.org"),
        hash_address("carol@example.org"),
    ]
    assert not any(word in str(logs) for word in ("@", "Hello", "How are you", "Alice"))


def test_a_refusal_is_one_log_line_with_the_places_of_its_problems():
    with capture_logs() as logs:
        post(HttpApp(), as_json(subject="", to=["x"], secret=1))
    (line,) = (line for line in logs if line["event"] == "mail not submitted")
    assert line["status"] == 400
    assert line["pointers"] == ["/subject", "/to/0", ""]
