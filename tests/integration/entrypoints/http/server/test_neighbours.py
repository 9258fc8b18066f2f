"""Many connections and bodies at once: nobody takes what all need."""

import contextlib
import json
from contextlib import ExitStack, closing

import pytest
from structlog.testing import capture_logs

from limbo.domain.access.api_key import KeyScope
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.telemetry.metrics import Metrics
from tests.support.http_app import BODY, HttpApp
from tests.support.processes import Fleet
from tests.support.server import Connection, serving
from tests.support.whole_app import ClientKeys
from tests.support.working import until

POST = b"POST /v1/mail HTTP/1.1\r\nHost: localhost\r\n"
CONNECTIONS = 40  # 30 are open, of which one peer may have 15; 10 are kept for probes
PROBES = ("/livez", "/readyz", "/metrics", "/health", "/health/")
MANY = [f"127.0.0.{n}" for n in range(2, 20)]
SOURCES = {"one": ["127.0.0.2"], "our own": ["127.0.0.1"], "many": MANY}
SLOW_HEAD = b"POST /v1/mail HTTP/1.1\r\nX"
SLOW_BODY = POST + b"Content-Length: 100000\r\n\r\n "
EXTRA = 30
MIB = 1_048_576
LARGE = BODY + b" " * 500_000


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def address(metrics):
    app = HttpApp(probe_seconds=30.0, body_seconds=60.0)
    with serving(app.app, connections=CONNECTIONS, metrics=metrics) as at:
        yield at


def refused(metrics, kind):
    return metrics.registry.get_sample_value("limbo_http_refused_total", {"kind": kind})


def ask(address, head=b"GET /health HTTP/1.1\r\nHost: localhost\r\n", source="127.0.0.1", body=b""):
    with Connection(address, source) as connection:
        lines = b"Content-Length: %d\r\n\r\n" % len(body)
        return connection.send(head, lines, body).answer()


def get(address, path, source="127.0.0.1"):
    return ask(address, b"GET %b HTTP/1.1\r\nHost: localhost\r\n" % path.encode(), source)[0]


def held(stack, address, count, sources, sends):
    """Hold connections that send this much, and wait until the server has taken it."""
    connections = [
        stack.enter_context(Connection(address, sources[number % len(sources)]))
        for number in range(count)
    ]
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.send(sends)
    for _ in range(2):  # what was sent before them has been read by the time they are answered
        assert get(address, "/livez") == 200
    return connections


@pytest.mark.parametrize("sources", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("sends", [b"", SLOW_HEAD, SLOW_BODY], ids=["idle", "head", "body"])
def test_probes_are_answered_while_all_connections_are_held(address, sources, sends):
    with ExitStack() as stack:
        held(stack, address, CONNECTIONS + EXTRA, sources, sends)
        assert [get(address, path) for path in PROBES] == [200] * len(PROBES)


@pytest.mark.parametrize("sources", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("sends", [b"", SLOW_HEAD], ids=["idle", "head"])
def test_the_longest_idle_connection_makes_room_for_a_mail(address, metrics, sources, sends):
    with ExitStack() as stack:
        first, *_ = held(stack, address, 12, sources, sends)
        held(stack, address, CONNECTIONS, sources, sends)
        assert ask(address, POST, body=BODY)[0] == 200
        if sends:
            assert first.answer()[0] == 503
        assert first.is_closed()
    assert refused(metrics, "idle") >= 10


def test_slow_bodies_of_one_peer_leave_room_for_others(address):
    with ExitStack() as stack, capture_logs() as logs:
        late = held(stack, address, CONNECTIONS, ["127.0.0.2"], SLOW_BODY)[-1]
        status, headers, body = late.answer()
        assert late.is_closed()
        assert ask(address, POST, body=BODY)[0] == 200
        assert ask(address, POST, "127.0.0.3", BODY)[0] == 200
        assert ask(address, POST, "127.0.0.2", BODY)[0] == 503
        assert get(address, "/livez", "127.0.0.2") == 200
    assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "5")
    assert json.loads(body) == {
        "Message": "not submitted",
        "Problem": "this address has too many connections; try again later",
        "code": "unavailable",
    }
    assert headers["x-request-id"]
    assert len([line for line in logs if line.get("kind") == "peer_connections"]) == 1


def test_what_finds_no_place_is_503_in_limbos_form(address):
    with ExitStack() as stack:
        held(stack, address, 30, ["127.0.0.2", "127.0.0.3"], SLOW_BODY)
        accept = b"Accept: application/problem+json\r\n"
        status, headers, body = ask(address, POST + accept, body=BODY)
        assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "5")
        assert json.loads(body)["detail"] == "all connections are in use; try again later"
    until(lambda: ask(address, POST, body=BODY)[0] == 200)


def test_places_are_free_again_when_the_connections_are_gone(address):
    for _ in range(5):
        with ExitStack() as stack:
            held(stack, address, CONNECTIONS, MANY, SLOW_BODY)
    until(lambda: ask(address, POST, body=BODY)[0] == 200)


@pytest.fixture
def keys():
    return ClientKeys()


@pytest.fixture
def keyed(metrics, keys):
    """An address where keys are needed, and there is room for 16 MiB of bodies."""
    app = HttpApp(
        access=Access(keys), metrics=metrics, body_seconds=60.0, all_bodies_bytes=16 * MIB
    )
    with serving(app.app, metrics=metrics) as at:
        yield at


def unfinished(stack, address, key, count, source="127.0.0.1"):
    """Post so many bodies of 1 MiB but for their end; return their answers, or None."""
    posts = [stack.enter_context(Connection(address, source)) for _ in range(count)]
    for post in posts:
        with contextlib.suppress(OSError):
            post.send(POST, key, b"Content-Length: %d\r\n\r\n" % MIB, b" " * (MIB - 1000))
    return posts


def first_answer(posts):
    """Return the answer to whichever of the posts is answered first."""
    until(lambda: any(post.is_answered() for post in posts))
    return next(post for post in posts if post.is_answered()).answer()


def new_key(keys):
    return b"Authorization: Bearer %b\r\n" % keys.create(KeyScope.SEND)[1].encode()


def test_the_bodies_of_one_client_take_no_more_than_its_share(keyed, keys, metrics):
    shop, other = new_key(keys), new_key(keys)
    with ExitStack() as stack:
        status, headers, body = first_answer(unfinished(stack, keyed, shop, 12))
        until(lambda: refused(metrics, "client_bodies") >= 12 - 4)
        assert (status, headers["retry-after"], headers["connection"]) == (429, "5", "close")
        assert b"this API key has too many bodies under way" in body
        assert ask(keyed, POST + other, body=LARGE)[0] == 200
    until(lambda: ask(keyed, POST + shop, body=LARGE)[0] == 200)


def test_the_bodies_of_one_peer_take_no_more_than_its_share(keyed, keys, metrics):
    with ExitStack() as stack:
        for _ in range(3):
            unfinished(stack, keyed, new_key(keys), 4, "127.0.0.2")
        until(lambda: refused(metrics, "peer_bodies"))
        assert ask(keyed, POST + new_key(keys), body=LARGE)[0] == 200


def test_all_bodies_together_take_no_more_than_there_is_room_for(keyed, keys, metrics):
    with ExitStack() as stack:
        posts = []
        for number in range(6):
            posts += unfinished(stack, keyed, new_key(keys), 4, f"127.0.0.{2 + number}")
        status, headers, body = first_answer(posts)
        until(lambda: refused(metrics, "bodies") >= 24 - 16)
        assert (status, headers["retry-after"], headers["connection"]) == (503, "5", "close")
        assert b"limbo has too many bodies under way" in body
    until(lambda: ask(keyed, POST + new_key(keys), body=LARGE)[0] == 200)


def test_bodies_that_were_announced_alone_take_no_room(keyed, keys):
    shop = new_key(keys)
    with ExitStack() as stack:
        for _ in range(30):
            post = stack.enter_context(Connection(keyed))
            post.send(POST, shop, b"Content-Length: %d\r\n\r\n" % MIB)
        assert ask(keyed, POST + shop, body=LARGE)[0] == 200


def test_bodies_that_nobody_reads_take_no_room(keyed, keys):
    """Not for longer than their request: without a key, or on a path that knows no body."""
    for head in (POST, b"GET /health HTTP/1.1\r\nHost: localhost\r\n"):
        with ExitStack() as stack:
            unfinished(stack, keyed, head[:0], 30)
            assert ask(keyed, POST + new_key(keys), body=LARGE)[0] == 200


def test_memory_is_given_back_after_many_large_bodies(tmp_path):
    environ = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db", "LIMBO_SENDERS": "fake"}
    with closing(Fleet(tmp_path, environ)) as fleet:
        api = fleet.start("api", "api")
        api.wait_until_ready()
        at = ("127.0.0.1", api.port)
        for _ in range(20):  # what is loaded once is no matter of this
            assert ask(at, POST, body=BODY)[0] == 200
        before = api.resident_bytes()
        for _ in range(3):
            with ExitStack() as stack:
                unfinished(stack, at, b"", 100)
        until(lambda: api.resident_bytes() < 1.2 * before)


ANSWER = b"m" * 8_000_000  # more than the system keeps for one connection


async def large_answers(scope, receive, send):
    """Answer everything with the same megabytes, but for the lifespan."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    length = [(b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": ANSWER})


def test_answers_that_nobody_reads_take_no_more_than_their_room(metrics):
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(large_answers, metrics=metrics) as at, ExitStack() as stack:
        for _ in range(12):  # which is more than a peer's share of 32 MiB
            stack.enter_context(Connection(at, "127.0.0.2")).send(3 * head)
        until(lambda: refused(metrics, "unread"))
        with Connection(at) as other:
            assert other.send(2 * head).answer()[2] == ANSWER
            assert other.answer()[2] == ANSWER
