"""What is not POST /v1/mail, given what nobody should send, or with its store gone."""

import json
import threading
import time

import pytest
from structlog.testing import capture_logs

from limbo.adapters.memory.ledger import MemoryLedger
from limbo.domain.access.api_key import KeyScope
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Death
from limbo.domain.errors import LedgerUnavailable, QueueUnavailable
from limbo.entrypoints.http.api.operations import OPERATIONS
from limbo.entrypoints.telemetry.audit import Audit
from tests.support.asgi import call
from tests.support.http_app import HttpApp
from tests.support.server import Connection, serving
from tests.support.whole_app import WholeApp

GUARDED = [each for each in OPERATIONS if each.scope is not None and each.id != "submitMail"]
CHOOSING = [o for o in GUARDED if o.request is not None and o.tag == "dead letters"]
LEDGERS = [each for each in GUARDED if each.tag == "mails"]
ALL = b'{"all": true}'
GONE = Cause(kind="outage", sender="fake.a", reason="gone")


def named(operation):
    return operation.id


def ask(http, operation, body=ALL, path=None, **headers):
    path = operation.path.replace("{id}", "x") if path is None else path
    return http.ask(operation.method, path, body, headers)


class Broken:
    """A store of any kind whose every method raises, as it may, or as it may not."""

    def __init__(self, error):
        self.error = error

    def __getattr__(self, _):
        def method(*_, **__):
            raise self.error

        return method


def stores(operation, store):
    """Return the parts of an application in which this operation asks the store."""
    if operation.tag == "audit":
        return {"audit": Audit(store, time.time)}
    return {"ledger_reader": store, "dead_letters": store}


@pytest.mark.parametrize("operation", GUARDED, ids=named)
@pytest.mark.parametrize("error", [LedgerUnavailable, QueueUnavailable])
def test_a_store_that_does_not_answer_is_503(operation, error):
    broken = Broken(error("bob@example.org"))
    with capture_logs() as logs:
        reply = ask(HttpApp(**stores(operation, broken)), operation)
    assert reply.status_code == 503
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["not answered"]
    assert "bob" not in str(logs)
    assert reply.headers["retry-after"] == "5"
    assert reply.json()["Message"] == "not done"
    assert b"bob" not in reply.content


class Hanging:
    """A store of any kind that answers nothing until it is let go."""

    def __init__(self):
        self.gate = threading.Event()
        self.asked = []

    def __getattr__(self, name):
        def method(*_, **__):
            self.asked.append(name)
            self.gate.wait(30)
            return []

        return method


@pytest.mark.parametrize("operation", GUARDED, ids=named)
def test_a_store_that_hangs_is_503_and_504_where_the_request_may_have_its_effect_yet(operation):
    store = Hanging()
    http = HttpApp(**stores(operation, store), reader_seconds=0.5, letters_seconds=0.5)
    try:
        reply = ask(http, operation)
    finally:
        store.gate.set()
    assert len(store.asked) == 1
    if operation.method == "GET":
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
        assert reply.json()["Message"] == "not done"
    else:
        assert (reply.status_code, reply.json()["Message"]) == (504, "unknown")
        assert "may go on" in reply.json()["Problem"]
        assert "retry-after" not in reply.headers  # many clients would ask again by themselves


@pytest.mark.parametrize("seconds", [1e300, -1e300, -1.0, float("inf"), float("nan")])
def test_a_dead_letter_with_times_that_are_none_is_shown_without_them(seconds):
    site = WholeApp(anonymous=KeyScope)
    mail = site.submit()
    (lease,) = site.mails.receive(1, 0)
    attempt = Attempt(sender="a", started_at=seconds, duration=seconds, verdict=Accepted(""))
    site.mails.bury(lease, Death(cause=GONE, attempts=[attempt]))
    reply = site.ask("GET", f"/v1/dead-letters/{mail.id}")
    assert reply.json()["attempts"] == [{"sender": "a", "started_at": None, "outcome": "accepted"}]


@pytest.mark.parametrize("operation", GUARDED, ids=named)
def test_a_defect_is_a_500_and_a_log_line_without_content(operation):
    broken = Broken(KeyError("bob@example.org"))
    with capture_logs() as logs:
        reply = ask(HttpApp(**stores(operation, broken)), operation)
    assert reply.status_code == 500
    assert b"bob" not in reply.content
    (line,) = (line for line in logs if line["log_level"] == "error")
    assert (line["event"], type(line["exc_info"])) == ("request failed", KeyError)


@pytest.mark.parametrize("operation", GUARDED, ids=named)
def test_where_nothing_is_kept_it_is_501(operation):
    reply = ask(HttpApp(), operation)
    assert reply.status_code == 501
    stores = {"mails": "ledger", "dead letters": "dead letters", "audit": "audit"}
    assert stores[operation.tag] in reply.json()["Problem"]


@pytest.mark.parametrize("operation", GUARDED, ids=named)
def test_a_failure_can_be_had_by_rfc_9457(operation):
    reply = ask(HttpApp(), operation, Accept="application/problem+json")
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["status"] == 501


CHOICES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"{}",
    b'"all"',
    b'{"all": false}',
    b'{"all": 1}',
    b'{"all": 1.0}',
    b'{"all": null}',
    b'{"all": true, "cause": "mail"}',
    b'{"all": true, "all": true}',
    b'{"all": true, "x": 1}',
    b'{"ids": []}',
    b'{"ids": "x"}',
    b'{"ids": [1]}',
    b'{"ids": [""]}',
    b'{"ids": [null, "x"]}',
    b'{"ids": {"x": "x"}}',
    b'{"ids": ["' + b"x" * 201 + b'"]}',
    json.dumps({"ids": ["x"] * 1001}).encode(),
    b'{"ids": ' + b"[" * 100_000,
    b'{"cause": ""}',
    b'{"cause": null}',
    b'{"cause": ["mail"]}',
    b'{"cause": "' + b"x" * 201 + b'"}',
    b'{"cause": "\xff"}',
    b'{"cause": NaN}',
    b'{"secret@example.org": "secret"}',
    b'\xef\xbb\xbf{"all": true}',
]


@pytest.mark.parametrize("operation", CHOOSING, ids=named)
@pytest.mark.parametrize("body", CHOICES, ids=range(len(CHOICES)))
def test_a_choice_that_is_none_is_400_and_chooses_nothing(operation, body):
    site = WholeApp(anonymous=KeyScope)
    site.submit()
    site.bury(GONE)
    reply = ask(site, operation, body)
    assert reply.status_code == 400
    assert b"secret" not in reply.content
    assert len(reply.content) < 300
    assert len(site.mails.dead_letters.list(10)) == 1


@pytest.mark.parametrize("operation", CHOOSING, ids=named)
@pytest.mark.parametrize("name", ["\\ud800", "\\u0000", "😀", "'; DROP TABLE limbo_queue; --", "%"])
@pytest.mark.parametrize("form", ['{{"ids": ["{}"]}}', '{{"cause": "{}"}}'])
def test_a_strange_name_chooses_nothing(operation, name, form):
    site = WholeApp(anonymous=KeyScope)
    site.submit()
    site.bury(GONE)
    reply = ask(site, operation, form.format(name).encode())
    is_text = "cause" not in form or name != "\\u0000"
    assert reply.status_code == (404 if is_text else 400)
    assert len(site.mails.dead_letters.list(10)) == 1


@pytest.mark.parametrize("operation", CHOOSING, ids=named)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Length": "9999999999"}, 413),
        ({"Content-Type": "text/plain"}, 200),
    ],
)
def test_a_choice_is_read_as_a_mail_is(operation, headers, status):
    assert ask(WholeApp(anonymous=KeyScope), operation, **headers).status_code == status


@pytest.mark.parametrize("operation", GUARDED, ids=named)
@pytest.mark.parametrize(
    "path", ["{id}?wait=%00", "{id}?%ff", "{id}?" + "a" * 5000, "{id}?id=x", "{id}?wait=1&wait=1"]
)
def test_a_strange_query_is_400(operation, path):
    path = operation.path.removesuffix("{id}") + path.replace(
        "{id}", "x" if "{id}" in operation.path else ""
    )
    reply = ask(WholeApp(anonymous=KeyScope), operation, path=path)
    assert reply.status_code == 400
    assert len(reply.content) < 300


@pytest.mark.parametrize("operation", [o for o in GUARDED if "{id}" in o.path], ids=named)
@pytest.mark.parametrize(
    "name",
    ["\x00", "a\nb", "é", "😀", "%", "..", "a" * 3000, "a b", "'; --", "\ud800", "{id}", "*", "-"],
)
def test_an_id_that_can_be_none_is_404(operation, name):
    path = operation.path.replace("{id}", "x")

    async def use(app):
        async def with_name(scope, receive, send):
            scope["path"] = scope["path"].removesuffix("x") + name
            await app(scope, receive, send)

        return await call(with_name, operation.method, path)

    site = WholeApp(anonymous=KeyScope)
    reply = site.run(use)
    assert reply.status_code == 404
    assert len(reply.content) < 300
    route = operation.path
    labels = {"method": operation.method, "route": route, "status": "404"}
    assert site.metric("limbo_http_requests_total", **labels) == 1


def test_over_a_real_connection_nothing_is_a_500():
    site = WholeApp(anonymous=KeyScope)
    targets = [
        *(
            b"/v1/mail/" + name
            for name in (b"%00", b"%2e%2e", b"%ff", b"\xff", b"a%2fb", b"%F0%9F")
        ),
        *(b"/v1/mail?" + query for query in (b"%", b"to=\xff", b"limit=%00", b"since=%2b", b"a=b")),
        b"/v1/dead-letters/%ff?after=%ff",
        b"/v1/dead-letters?limit=%C2%B9",
    ]
    with serving(site.app) as address:
        for method in (b"GET", b"DELETE", b"POST", b"PATCH", b"BREW"):
            for target in targets:
                with Connection(address) as connection:
                    connection.send(
                        method, b" ", target, b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                    )
                    status, _, body = connection.answer()
                    assert 400 <= status < 500, (method, target)
                    assert json.loads(body).keys() == {"Message", "Problem", "code"}


class Watched:
    """An ledger_reader that tells when it was asked."""

    def __init__(self, ledger_reader):
        self.ledger_reader = ledger_reader
        self.asked = threading.Event()

    def find(self, id, client):  # noqa: A002
        self.asked.set()
        return self.ledger_reader.find(id, client)

    def statuses(self, ids):
        return self.ledger_reader.statuses(ids)


def test_a_stop_of_the_server_ends_a_wait():
    ledger = MemoryLedger()
    ledger_reader = Watched(ledger)
    site = WholeApp(anonymous=KeyScope, ledger=ledger, ledger_reader=ledger_reader)
    mail = site.submit()
    with serving(site.app) as address:
        connection = Connection(address)
        connection.send(f"GET /v1/mail/{mail.id}?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert ledger_reader.asked.wait(5)
    status, _, body = connection.answer()
    connection.close()
    assert (status, json.loads(body)["status"]) == (200, "queued")


def test_a_client_that_goes_away_amid_its_wait_leaves_no_trace(caplog, capsys):
    ledger = MemoryLedger()
    ledger_reader = Watched(ledger)
    site = WholeApp(anonymous=KeyScope, ledger=ledger, ledger_reader=ledger_reader, long_polls=1)
    path = f"/v1/mail/{site.submit().id}?wait=60"
    with serving(site.app) as address:
        with Connection(address) as connection:
            connection.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert ledger_reader.asked.wait(5)
        until = time.monotonic() + 5
        labels = {"method": "GET", "route": "/v1/mail/{id}", "status": "499"}
        while not site.metric("limbo_http_requests_total", **labels):
            assert time.monotonic() < until
            time.sleep(0.01)
    assert "Traceback" not in "".join(capsys.readouterr())
    assert caplog.records == []
