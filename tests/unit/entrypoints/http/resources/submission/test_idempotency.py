import json

import pytest

from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import parse_mail
from limbo.entrypoints.http.api.idempotency_key import idempotency
from limbo.entrypoints.http.resources.submission.gather import GatherLimits
from limbo.ports.outbox import KeptAs, KeyConflict, Replayed
from tests.support.asgi import call
from tests.support.http_app import BODY, MAIL, NOW, HttpApp

FIRST = mail_id(NOW - 60)


def post(http, key=None, body=BODY, **headers):
    headers |= {} if key is None else {"Idempotency-Key": key}
    return http.ask("POST", "/v1/mail", body, headers)


def fingerprint(**fields):
    mail = parse_mail(MAIL | fields, id="x", submitted_at=NOW)
    return idempotency("k", mail).fingerprint


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("a", "a"),
        ('"a"', "a"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("a b, c; d=e", "a b, c; d=e"),
        (r'"a\"b\\c"', r'a"b\c'),
        (r"a\"b", r"a\"b"),
        ('" "', " "),
        (" \ta\t ", "a"),
        ("a" * 255, "a" * 255),
        ('"' + "a" * 255 + '"', "a" * 255),
        ('"' + r"\"" * 255 + '"', '"' * 255),
    ],
)
def test_a_key_is_read_with_or_without_quotes(sent, key):
    http = HttpApp()
    assert post(http, sent).status_code == 200
    assert http.outbox.submissions[0].idempotency.key == key


def test_a_key_that_nobody_would_recognise_is_refused():
    http = HttpApp(deduplicates=False)
    refused = post(http, "order-4711")
    assert refused.status_code == 501
    assert refused.json()["Problem"].startswith("Idempotency-Key: this limbo keeps no ledger")
    assert http.outbox.submissions == []
    assert post(http).status_code == 200


def test_without_a_key_there_is_none():
    http = HttpApp()
    assert post(http).status_code == 200
    assert http.outbox.submissions[0].idempotency is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        '""',
        '"',
        '"a',
        '"a"b',
        '"a";b=c',
        r'"a\b"',
        '"a"b"',
        "a\x00b",
        "a\x7fb",
        "a\tb",
        "ä",
        "a" * 256,
        '"' + "a" * 256 + '"',
        "a" * 60_000,
        '"' + "\\" * 60_000,
    ],
)
def test_a_key_that_is_none_is_400_and_names_the_header(key):
    http = HttpApp()
    reply = post(http, key)
    problem = "Idempotency-Key: must be 1 to 255 printable ASCII characters, bare or quoted"
    assert reply.status_code == 400
    code = "invalid_idempotency_key"
    assert reply.json() == {"Message": "not submitted", "Problem": problem, "code": code}
    assert http.outbox.calls == []


def test_the_fingerprint_is_of_the_mail_and_not_of_its_spelling():
    same = fingerprint()
    assert len(same) == 64
    assert fingerprint(to="bob@example.org") == same
    assert fingerprint(to=["bob@EXAMPLE.org", "bob@example.org"], cc=[], bcc=None) == same
    assert fingerprint(**{"from": '"Alice"   <alice@example.com>'}) == same


@pytest.mark.parametrize(
    "fields",
    [
        {"to": ["rob@example.org"]},
        {"to": "Bob <bob@example.org>"},
        {"cc": "carol@example.org"},
        {"bcc": "carol@example.org"},
        {"subject": "Hello "},
        {"message": "How are you"},
        {"subject": "How are you?", "message": "Hello"},
        {"from": "Alicia <alice@example.com>"},
    ],
)
def test_whatever_differs_in_the_mail_differs_in_the_fingerprint(fields):
    assert fingerprint(**fields) != fingerprint()
    assert fingerprint(cc="x@example.org") != fingerprint(bcc="x@example.org")


def test_a_replay_is_answered_as_the_first_time():
    http = HttpApp()
    first = post(http, "a")
    http.outbox.answer = lambda _: Replayed(FIRST)
    reply = post(http, "a")
    assert (reply.status_code, reply.content) == (first.status_code, first.content)
    assert reply.headers["location"] == f"/v1/mail/{FIRST}"
    assert reply.headers["idempotent-replayed"] == "true"
    assert http.metric("limbo_mails_submitted_total", outcome="replayed") == 1


def test_a_replay_shows_the_mail_as_it_was_submitted_first():
    http = HttpApp()
    http.outbox.answer = lambda _: Replayed(FIRST)
    reply = post(http, "a", Prefer="return=representation")
    assert reply.json()["id"] == FIRST
    assert reply.json()["submitted_at"] == "2023-11-14T22:12:20.250Z"
    assert reply.json()["status"] == "queued"


def test_a_mail_kept_under_an_older_id_is_no_replay():
    http = HttpApp()
    http.outbox.answer = lambda _: KeptAs(FIRST)
    reply = post(http, "a")
    assert (reply.status_code, reply.headers["location"]) == (200, f"/v1/mail/{FIRST}")
    assert "idempotent-replayed" not in reply.headers


@pytest.mark.parametrize(
    ("conflict", "status", "retry_after"),
    [(KeyConflict.REUSED, 422, None), (KeyConflict.UNDER_WAY, 409, "1")],
)
def test_a_key_that_stands_for_something_else_is_refused(conflict, status, retry_after):
    http = HttpApp()
    http.outbox.answer = lambda _: conflict
    reply = post(http, "a", Accept="application/problem+json")
    assert reply.status_code == reply.json()["status"] == status
    assert reply.json()["detail"].startswith("Idempotency-Key: ")
    assert reply.headers.get("retry-after") == retry_after
    assert "location" not in reply.headers
    assert http.metric("limbo_mails_submitted_total", outcome="conflict") == 1


def test_what_may_have_been_kept_under_a_key_may_be_posted_again():
    # One is enough, and so is handed over at once.
    http = HttpApp(gather=GatherLimits(enough=1, seconds=0.05))

    async def use(app):
        http.outbox.gate.clear()
        reply = await call(app, "POST", "/v1/mail", BODY, {"Idempotency-Key": "a"})
        http.outbox.gate.set()
        return reply

    reply = http.run(use)
    assert reply.status_code == 504
    assert reply.headers["retry-after"] == "5"
    assert "under the same Idempotency-Key" in reply.json()["Problem"]


def test_a_client_and_its_key_reach_the_outbox_with_the_mail():
    http = HttpApp()
    body = json.dumps(dict(reversed(MAIL.items()))).encode()
    post(http, "a")
    post(http, "a", body)
    first, second = http.outbox.submissions
    assert first.client == "anonymous"
    assert first.idempotency == second.idempotency
    assert first.mail.id != second.mail.id


def test_two_keys_are_400():
    http = HttpApp()

    async def use(app):
        async def twice(scope, receive, send):
            scope["headers"] += [(b"idempotency-key", b"a"), (b"idempotency-key", b"a")]
            await app(scope, receive, send)

        return await call(twice, "POST", "/v1/mail", BODY)

    reply = http.run(use)
    assert reply.status_code == 400
    assert reply.json()["Problem"] == "Idempotency-Key: given twice"
    assert http.outbox.calls == []
