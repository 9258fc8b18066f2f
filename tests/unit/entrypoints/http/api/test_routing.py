import asyncio
import json

import pytest
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from limbo.adapters.memory.ledger import MemoryLedger
from limbo.domain.errors import LedgerUnavailable, QueueUnavailable
from limbo.entrypoints.http.api.hosts import HostPolicy
from limbo.entrypoints.http.api.operations import OPERATIONS
from limbo.entrypoints.http.api.probes import Probes
from limbo.entrypoints.http.probe_app import create_probe_app
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.entrypoints.telemetry.collectors import QueueCollector
from limbo.entrypoints.telemetry.metrics import Metrics
from tests.support.asgi import call
from tests.support.clock import Clock
from tests.support.http_app import ANY_HOST, BODY, HttpApp, ScriptedDepth

PATIENT = 30.0


def request(http, *arguments, **options):
    return http.ask(*arguments, **options)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", {"hello": "world"}),
        ("/health", {"health": "ok"}),
        ("/livez", {"live": "ok"}),
        ("/readyz", {"ready": "ok"}),
    ],
)
def test_says_that_it_is_there(method, path, answer):
    reply = request(HttpApp(probe_seconds=PATIENT), method, path)
    assert reply.status_code == 200
    assert reply.headers["content-length"] == str(len(json.dumps(answer, separators=(",", ":"))))
    if method == "GET":
        assert reply.json() == answer
    assert reply.headers["content-type"] == "application/json"


def test_shows_its_metrics():
    http = HttpApp(probe_seconds=PATIENT)

    async def use(app):
        await call(app, "POST", "/v1/mail", BODY)
        return await call(app, "GET", "/metrics")

    reply = http.run(use)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b'limbo_mails_submitted_total{outcome="submitted"} 1.0' in reply.content
    assert b'method="POST",route="/v1/mail",status="200"} 1.0' in reply.content


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v1/mail//",
        "/health//",
        "/v1",
        "/v1/",
        "/V1/mail",
        "/v1/mail%0A",
        "/health%0A",
        "/%6Detrics",
        "/v1/m%61il",
        "/health%2F",
        "/metrics%2e",
    ],
)
def test_an_unknown_path_is_404_under_any_method(method, path):
    reply = request(HttpApp(), method, path, BODY)
    assert reply.status_code == 404
    assert reply.json() == {
        "Message": "not submitted",
        "Problem": "no such path; mails go to POST /v1/mail",
        "code": "not_found",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/", 200),
        ("GET", "/livez/", 200),
        ("POST", "/v1/mail/", 200),
        ("GET", "/v1/mail/nope/", 501),
        ("PUT", "/v1/mail/", 405),
        ("GET", "/v1/dead-letters/causes/", 501),
    ],
)
def test_one_slash_at_the_end_of_a_path_is_taken(method, path, status):
    assert request(HttpApp(), method, path, BODY).status_code == status
    assert request(HttpApp(), method, path.removesuffix("/"), BODY).status_code == status


def test_an_id_may_be_percent_encoded():
    http, encoded = HttpApp(ledger_reader=MemoryLedger()), "%30" * 32
    reply = request(http, "GET", f"/v1/mail/{encoded}")
    assert reply.status_code == 404
    assert "no such path" not in reply.json()["Problem"]


@pytest.mark.parametrize("path", ["", "//", "*", "v1/mail", "//v1/mail", "/v1//mail"])
def test_a_path_that_clients_mend_themselves_is_404(path):
    reply = HttpApp().run(lambda app: call(app, "POST", path, BODY))
    assert reply.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/mail", "GET, HEAD, POST"),
        ("OPTIONS", "/v1/mail", "GET, HEAD, POST"),
        ("BREW", "/v1/mail", "GET, HEAD, POST"),
        ("POST", "/v1/mail/x", "DELETE, GET, HEAD"),
        ("POST", "/v1/dead-letters", "DELETE, GET, HEAD"),
        ("DELETE", "/v1/dead-letters/causes", "GET, HEAD"),
        ("GET", "/v1/dead-letters/redrive", "POST"),
        ("DELETE", "/v1/dead-letters/redrive", "POST"),
        ("POST", "/", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
        ("POST", "/readyz", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_405_and_says_which_are_right(method, path, allowed):
    reply = request(HttpApp(), method, path)
    assert reply.status_code == 405
    assert reply.headers["allow"] == allowed
    assert reply.json() == {
        "Message": "not submitted",
        "Problem": f"this path does not know the method; it knows {allowed}",
        "code": "method_not_allowed",
    }


@pytest.mark.parametrize("path", ["/", "/nothing", "/v1/mail", "/readyz", "/metrics"])
def test_every_answer_may_be_neither_sniffed_nor_stored(path):
    reply = request(HttpApp(), "GET", path)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in reply.headers


def test_the_answer_while_a_put_would_fail():
    http = HttpApp()
    http.queue.up = False
    reply = request(http, "GET", "/readyz")
    assert reply.status_code == 503
    assert reply.json() == {
        "Message": "not ready",
        "Problem": "the queue takes no mails",
        "code": "unavailable",
    }


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (QueueUnavailable("db.example"), "the queue takes no mails"),
        (LedgerUnavailable("db.example"), "the ledger takes no mails"),
        (KeyError("bob@example.org"), "the queue takes no mails"),
    ],
)
def test_is_not_ready_while_a_put_would_fail_and_says_so_once(error, problem):
    failing, clock = [error], Clock()

    def check() -> None:
        for each in failing:
            raise each

    probes = Probes(check=check, metrics=Metrics(), seconds=PATIENT, now=clock.now)

    async def use():
        for _ in range(3):
            with pytest.raises(HttpRefusal) as refused:
                await probes.ready(Request({"type": "http"}))
            assert refused.value.problems[0].detail == problem
            clock.elapse(2)
        failing.clear()
        assert (await probes.ready(Request({"type": "http"}))).status_code == 200

    with capture_logs() as logs:
        asyncio.run(use())
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("not ready", "error"),
        ("ready again", "info"),
    ]
    assert "bob@example.org" not in str(logs)


def test_is_not_ready_while_the_queue_hangs_and_asks_it_once_only():
    http = HttpApp(probe_seconds=0.05)

    async def use(app):
        http.queue.gate.clear()
        hanging = await asyncio.gather(*(call(app, "GET", "/readyz") for _ in range(5)))
        hanging.append(await call(app, "GET", "/readyz"))
        alive = await call(app, "GET", "/livez")
        async with asyncio.timeout(30):
            while not http.queue.asked:  # noqa: ASYNC110 - a thread asks
                await asyncio.sleep(0.002)
            asked = http.queue.asked
            http.queue.gate.set()
            while (await call(app, "GET", "/readyz")).status_code == 503:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.002)
        return hanging, alive, asked

    hanging, alive, asked = http.run(use)
    assert [reply.status_code for reply in hanging] == [503] * 6
    assert (alive.status_code, asked) == (200, 1)


def test_readiness_is_asked_for_at_most_once_a_second():
    queue, clock = ScriptedDepth(), Clock()
    probes = Probes(check=queue.check_put, metrics=Metrics(), seconds=PATIENT, now=clock.now)

    async def asked_after_ten():
        for _ in range(10):
            assert (await probes.ready(Request({"type": "http"}))).status_code == 200
        return queue.asked

    async def use():
        assert await asked_after_ten() == 1
        clock.elapse(0.75)
        assert await asked_after_ten() == 1
        clock.elapse(0.25)
        assert await asked_after_ten() == 2

    asyncio.run(use())


@pytest.mark.parametrize(("seconds", "patience", "status"), [(0.05, 30, 503), (PATIENT, 0.2, 200)])
def test_metrics_that_hang_hold_up_nothing_else(seconds, patience, status):
    http = HttpApp(probe_seconds=seconds)
    http.metrics.registry.register(QueueCollector(http.queue, patience=patience))

    async def use(app):
        http.queue.gate.clear()
        scraped = asyncio.create_task(call(app, "GET", "/metrics"))
        posted = await call(app, "POST", "/v1/mail", BODY)
        replies = posted, await scraped
        http.queue.gate.set()
        return replies

    posted, scraped = http.run(use)
    assert (posted.status_code, scraped.status_code) == (200, status)


def test_a_client_keeps_its_request_id():
    reply = request(HttpApp(), "GET", "/", headers={"X-Request-ID": "shop-1.2:3_4+/="})
    assert reply.headers["x-request-id"] == "shop-1.2:3_4+/="


@pytest.mark.parametrize(
    "given",
    [
        "",
        "a b",
        "x" * 65,
        "a\r\nSet-Cookie: b",
        "bob@example.org",
        "é",
        "{}",
        'a"b',
        "a\x00",
        "a\n",
    ],
)
def test_a_request_id_unfit_for_a_log_is_replaced(given):
    reply = request(HttpApp(), "GET", "/", headers={"X-Request-ID": given})
    made = reply.headers["x-request-id"]
    assert made != given
    assert len(made) == 16
    assert int(made, 16) >= 0


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/", ("GET", "/", "200")),
        ("BREW", "/health", ("other", "/health", "405")),
        ("GET", "/bob@example.org", ("GET", "other", "404")),
        ("POST", "/v1/mail", ("POST", "/v1/mail", "400")),
        ("PUT", "/v1/mail", ("PUT", "/v1/mail", "405")),
        ("GET", "/v1/mail/x", ("GET", "/v1/mail/{id}", "501")),
        ("GET", "/v1/mail/x/y", ("GET", "other", "404")),
        ("DELETE", "/v1/dead-letters/causes", ("DELETE", "/v1/dead-letters/causes", "405")),
    ],
)
def test_counts_and_times_requests_by_labels_that_no_client_can_multiply(method, path, labels):
    http = HttpApp()
    request(http, method, path)
    method, route, status = labels
    requests = http.metric("limbo_http_requests_total", method=method, route=route, status=status)
    assert requests == 1
    assert http.metric("limbo_http_request_duration_seconds_count", route=route) == 1


def test_an_error_of_ours_is_a_plain_500_and_a_log_line_without_content():
    def explode():
        msg = "bob@example.org"
        raise KeyError(msg)

    http = HttpApp(now=explode)
    with capture_logs() as logs:
        reply = request(http, "POST", "/v1/mail", BODY)
    assert reply.status_code == 500
    assert reply.json() == {
        "Message": "not submitted",
        "Problem": "limbo itself failed; its log has the cause, under the id in X-Request-ID",
        "code": "internal_error",
    }
    assert reply.headers["cache-control"] == "no-store"
    (line,) = (line for line in logs if line["event"] == "request failed")
    assert isinstance(line["exc_info"], KeyError)
    labels = {"method": "POST", "route": "/v1/mail", "status": "500"}
    assert http.metric("limbo_http_requests_total", **labels) == 1


SHOP = "https://shop.example"


def with_cors():
    http = HttpApp(hosts=HostPolicy(listens_on="0.0.0.0", allowed=["testserver", "shop.example"]))
    http.app.add_middleware(CORSMiddleware, allow_origins=[SHOP], allow_methods=["POST"])
    return http


def test_a_middleware_that_is_added_answers_and_is_counted():
    http = with_cors()
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    reply = http.ask("OPTIONS", "/v1/mail", headers=asked)
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, SHOP)
    assert reply.headers["x-request-id"]
    labels = {"method": "OPTIONS", "route": "other", "status": "200"}
    assert http.metric("limbo_http_requests_total", **labels) == 1


@pytest.mark.parametrize(("body", "status"), [(BODY, 200), (b"{}", 400)])
def test_a_middleware_that_is_added_sees_every_answer(body, status):
    reply = with_cors().ask("POST", "/v1/mail", body, {"Origin": SHOP})
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (status, SHOP)


class Exploding:
    """A middleware with a defect."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            raise KeyError
        await self.app(scope, receive, send)


def test_a_middleware_that_fails_is_a_500_in_the_form_of_all_others():
    http = HttpApp()
    http.app.add_middleware(Exploding)
    with capture_logs() as logs:
        reply = http.ask("GET", "/")
    assert (reply.status_code, reply.json()["Message"]) == (500, "not submitted")
    assert [line["event"] for line in logs] == ["request failed"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_is_a_route_named_by_its_id(operation):
    names = {"id": "x"} if "{id}" in operation.path else {}
    path = HttpApp().app.url_path_for(operation.id, **names)
    assert path == operation.path.replace("{id}", "x")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/livez", 200), ("/readyz", 200), ("/health", 200), ("/metrics", 200), ("/v1/mail", 404)],
)
def test_a_worker_answers_under_the_same_rules(path, status):
    app = create_probe_app(
        queue=ScriptedDepth(), metrics=Metrics(), hosts=ANY_HOST, probe_seconds=PATIENT
    )
    client = TestClient(app)
    reply = client.get(path, headers={"X-Request-ID": "r"})
    assert reply.status_code == status
    assert reply.headers["x-request-id"] == "r"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert client.post(path).status_code == (405 if status == 200 else 404)
