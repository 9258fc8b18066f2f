"""What access refuses is counted by kind, and logged with whose key it was."""

import json

import pytest
from structlog.testing import capture_logs

from limbo.domain.access.api_key import KeyScope
from limbo.domain.access.credential import Credential, new_credential
from limbo.domain.access.networks import parse_networks
from limbo.domain.access.rate import Rate
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.refusals import ACCESS_CODES
from tests.contracts.api_keys import READER, REVOKED, a_key
from tests.support.api_keys import MemoryApiKeys
from tests.support.http_app import MAIL, HttpApp

SHOP, OLD, WATCH, SLOW, FAR, LATE, NOBODY = (new_credential() for _ in range(7))
KEYS = (
    a_key(SHOP, scopes=frozenset({KeyScope.SEND}), rate=None),
    a_key(OLD, revoked_at=REVOKED),
    a_key(WATCH, **READER),
    a_key(SLOW, rate=Rate(1, "h")),
    a_key(FAR, networks=parse_networks(["192.0.2.0/24"])),
    a_key(LATE, expires_at=1.0),
)
REFUSED = "limbo_http_refused_total"
ROUTES = [("POST", "/v1/mail"), ("POST", "/v1/mail/"), ("DELETE", "/v1/mail/none")]


def an_app() -> HttpApp:
    return HttpApp(access=Access(MemoryApiKeys(*KEYS)))


def refusals(logs: list[dict[str, object]]) -> list[dict[str, object]]:
    return [line for line in logs if line["event"] == "refused"]


def asked(http: HttpApp, credential: Credential | None, method: str, path: str) -> int:
    headers = {"authorization": f"Bearer {credential.reveal()}"} if credential else {}
    return http.ask(method, path, json.dumps(MAIL).encode(), headers).status_code


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("credential", "code"),
    [
        (None, Code.UNAUTHORIZED),
        (NOBODY, Code.UNKNOWN_API_KEY),
        (Credential(SHOP.id, NOBODY.secret), Code.UNKNOWN_API_KEY),
        (OLD, Code.REVOKED_API_KEY),
        (LATE, Code.EXPIRED_API_KEY),
        (WATCH, Code.SCOPE_MISSING),
        (FAR, Code.NETWORK_NOT_ALLOWED),
    ],
)
def test_each_kind_is_counted_and_logged_on_every_route(credential, code, method, path):
    http = an_app()
    with capture_logs() as logs:
        assert asked(http, credential, method, path) == code.status
    assert http.metric(REFUSED, kind=code.value) == 1
    [line] = refusals(logs)
    assert (line["kind"], line["log_level"]) == (code.value, "warning")
    assert line["peer"]
    assert line.get("api_key") == (credential.id if credential else None)
    assert credential is None or credential.secret not in str(logs)


def test_a_from_that_is_not_allowed_and_a_rate_are_kinds_as_well():
    http = an_app()
    with http.client() as client:
        for credential, times in ((SHOP, 1), (SLOW, 2)):
            for _ in range(times):
                headers = {"authorization": f"Bearer {credential.reveal()}"}
                client.post("/v1/mail", json=MAIL, headers=headers)
    assert http.metric(REFUSED, kind="from_not_allowed") == 2
    assert http.metric(REFUSED, kind="rate_limited") == 1


def test_a_flood_of_guesses_is_one_line_and_all_are_counted():
    http = an_app()
    with capture_logs() as logs, http.client() as client:
        for _ in range(200):
            client.get("/v1/mail", headers={"authorization": f"Bearer {NOBODY.reveal()}"})
    assert http.metric(REFUSED, kind="unknown_api_key") == 200
    assert len([line for line in refusals(logs) if "suppressed" not in line]) == 1


def test_every_kind_starts_at_0():
    http = an_app()
    http.app.build_middleware_stack()
    for code in ACCESS_CODES:
        assert http.metrics.registry.get_sample_value(REFUSED, {"kind": code.value}) == 0


def test_what_is_no_matter_of_access_is_no_refusal():
    http = an_app()
    assert http.ask("GET", "/nothing").status_code == 404
    assert all(http.metric(REFUSED, kind=code.value) == 0 for code in ACCESS_CODES)
