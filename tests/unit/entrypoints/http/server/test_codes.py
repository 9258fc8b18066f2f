"""Each error has a code, which is documented."""

from collections import Counter
from http import HTTPStatus

import pytest

from limbo.entrypoints.http.api.openapi import openapi_document
from limbo.entrypoints.http.server.codes import CODES, Code
from limbo.entrypoints.http.server.phrases import PHRASES
from limbo.entrypoints.http.server.problems import HttpRefusal
from tests.support.http_app import HttpApp


def test_each_status_that_is_answered_has_a_code_for_what_has_none_of_its_own():
    assert CODES.keys() == PHRASES.keys()
    assert HttpRefusal(HTTPStatus.CONFLICT, "why").code is Code.CONFLICT
    assert HttpRefusal(HTTPStatus.CONFLICT, "why", code=Code.TOO_LATE).code is Code.TOO_LATE


def test_a_code_says_what_it_means():
    assert max(Counter(code.meaning for code in Code).values()) == 1
    assert (Code("too_late"), f"{Code.TOO_LATE}") == (Code.TOO_LATE, "too_late")


@pytest.mark.parametrize("form", ["ShortProblem", "ProblemDetails"])
def test_the_document_has_every_code(form):
    components = openapi_document()["components"]
    assert components["schemas"][form]["properties"]["code"]["enum"] == [*Code]
    told = " ".join(response["description"] for response in components["responses"].values())
    assert [code for code in Code if f"`{code}`" not in told] == [Code.METHOD_NOT_ALLOWED]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/v1/mail", b"{}", Code.INVALID_MAIL),
        ("POST", "/v1/mail", b"{", Code.NOT_JSON),
        ("GET", "/v1/mail?status=lost", b"", Code.INVALID_PARAMETER),
        ("GET", "/v1/mail", b"", Code.NOT_KEPT_HERE),
        ("GET", "/nothing", b"", Code.NOT_FOUND),
    ],
)
def test_both_forms_have_the_code(method, path, body, code):
    for accept in ("application/json", "application/problem+json"):
        reply = HttpApp().ask(method, path, body, {"Accept": accept})
        assert (reply.status_code, reply.json()["code"]) == (code.status, code)
        assert reply.headers["content-type"] == accept
