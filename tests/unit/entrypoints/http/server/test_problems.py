import asyncio
from http import HTTPStatus

import pytest

from limbo.entrypoints.http.server.phrases import PHRASES
from limbo.entrypoints.http.server.problems import HttpRefusal, problem_response
from tests.support.asgi import call

TITLES = [
    (400, "Bad Request"),
    (413, "Request Entity Too Large"),
    (422, "Unprocessable Entity"),
    (503, "Service Unavailable"),
]


def answered(refusal, accept):
    async def app(scope, receive, send):
        await problem_response(refusal, scope, "not done")(scope, receive, send)

    return asyncio.run(call(app, "GET", "/", headers={"Accept": accept}))


@pytest.mark.parametrize(("status", "title"), TITLES)
def test_a_title_is_the_same_on_every_python(status, title):
    reply = answered(HttpRefusal(HTTPStatus(status), "why"), "application/problem+json")
    assert reply.status_code == status
    assert reply.json()["title"] == title


@pytest.mark.parametrize("status", PHRASES)
def test_every_phrase_is_of_a_status_that_there_is(status):
    assert HTTPStatus(status) >= 400


@pytest.mark.parametrize(("message", "said"), [(None, "not done"), ("unknown", "unknown")])
def test_a_refusal_begins_with_its_own_message_or_its_operation_s(message, said):
    refusal = HttpRefusal(HTTPStatus.CONFLICT, "why", message=message)
    assert answered(refusal, "").json() == {"Message": said, "Problem": "why", "code": "conflict"}


@pytest.mark.parametrize("close", [True, False])
def test_only_a_refusal_that_says_so_ends_the_connection(close):
    headers = [(b"www-authenticate", b"Bearer"), (b"www-authenticate", b"Basic")]
    refusal = HttpRefusal(HTTPStatus.UNAUTHORIZED, "why", headers=headers, close=close)
    reply = answered(refusal, "")
    assert reply.headers.get("connection") == ("close" if close else None)
    assert reply.headers["www-authenticate"] == "Basic"
