"""What a browser may not be made to do, and for which hosts limbo answers."""

import pytest
from structlog.testing import capture_logs

from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.api.hosts import HostPolicy
from tests.support.http_app import BODY, HttpApp

LOCAL = {"hosts": HostPolicy(listens_on="127.0.0.1")}
PROXIED = {"hosts": HostPolicy(listens_on="127.0.0.1", allowed=["mail.example", "x.example:81"])}
PUBLIC = {"hosts": HostPolicy(listens_on="0.0.0.0")}
PUBLIC_PROXIED = {"hosts": HostPolicy(listens_on="0.0.0.0", allowed=["mail.example"])}
REFUSED = "limbo_http_refused_total"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::1]:8000"],
)
def test_an_api_on_loopback_answers_for_its_own_hosts(host):
    assert HttpApp(**LOCAL).ask("GET", "/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "localhost@evil.example",
        "127.0.0.1.evil.example",
        "0.0.0.0:8000",
        "192.168.1.1",
        "[::2]",
        "[::1",
        "localhost:8000:1",
        "localhost, evil.example",
        "127.1",
    ],
)
@pytest.mark.parametrize("path", ["/health", "/metrics", "/v1/mail", "/nothing"])
def test_an_api_on_loopback_answers_for_no_other_host(host, path):
    http = HttpApp(**LOCAL)
    reply = http.ask("GET", path, headers={"Host": host})
    assert reply.status_code == 421
    assert reply.json()["Problem"].startswith("Host: limbo does not answer for that name")
    assert http.metric(REFUSED, kind="host") == 1


@pytest.mark.parametrize(
    ("options", "host", "status"),
    [
        (PROXIED, "mail.example", 200),
        (PROXIED, "Mail.Example:8443", 200),
        (PROXIED, "x.example:81", 200),
        (PROXIED, "x.example:82", 421),
        (PROXIED, "localhost", 200),
        (PROXIED, "10.0.0.1", 421),
        (PUBLIC, "anything.example", 200),
        (PUBLIC_PROXIED, "mail.example", 200),
        (PUBLIC_PROXIED, "anything.example", 421),
        (PUBLIC_PROXIED, "10.0.0.1:8000", 200),
        (PUBLIC_PROXIED, "[2001:db8::1]:8000", 200),
    ],
)
def test_further_hosts_are_those_that_are_allowed(options, host, status):
    assert HttpApp(**options).ask("GET", "/livez", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "BREW"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://localhost"},
        {"Origin": "file://"},
        {"Origin": "http://"},
        {"Origin": "http://[bad", "Host": "[bad"},
        {"Origin": "http://localhost:8000.evil.example"},
        {"Origin": "http://localhost:8000, http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "something new"},
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_foreign_page_changes_nothing(method, headers):
    http = HttpApp(**PUBLIC)
    with capture_logs() as logs:
        reply = http.ask(method, "/v1/mail", BODY, {"Host": "localhost:8000", **headers})
    assert reply.status_code == 403
    assert reply.json() == {
        "Message": "not submitted",
        "Problem": "Origin: a page of another site may change nothing here",
        "code": "foreign_page",
    }
    assert http.outbox.mails == []
    assert http.metric(REFUSED, kind="origin") == 1
    assert http.metric("limbo_http_requests_total", route="other", status="403", method=method) or (
        method == "BREW"
    )
    (line,) = [each for each in logs if each["event"] == "refused"]
    assert (line["kind"], line["peer"]) == ("origin", "testclient")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:8000"},
        {"Origin": "https://LOCALHOST:8000", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://mail.example", "Host": "mail.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://mail.example:80", "Host": "mail.example"},
        {"Origin": "https://mail.example"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_an_own_page_and_whoever_is_no_browser_may_post(headers):
    reply = HttpApp(**PROXIED).ask("POST", "/v1/mail", BODY, {"Host": "localhost:8000", **headers})
    assert reply.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_foreign_page_may_ask_for_what_it_cannot_read(method):
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert HttpApp(**PUBLIC).ask(method, "/health", headers=headers).status_code == 200


def test_a_key_makes_no_foreign_page_an_own_one():
    http = HttpApp(access=Access(None), **PUBLIC)
    headers = {"Origin": "https://evil.example", "Authorization": "Basic Og=="}
    assert http.ask("POST", "/v1/mail", BODY, headers).status_code == 403


def test_every_kind_of_refusal_is_counted_from_zero():
    text = HttpApp().metrics.render().decode()
    kinds = [line for line in text.splitlines() if line.startswith(REFUSED)]
    assert len(kinds) == 20
    assert {line.rsplit(" ", 1)[1] for line in kinds} == {"0.0"}


def test_metrics_may_be_elsewhere():
    assert HttpApp(shows_metrics=False).ask("GET", "/metrics").status_code == 404
