import contextlib
import http.client
import json
import logging
import socket
import threading
import time

import pytest
import requests

from limbo.domain.access.api_key import KeyScope
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.server.placed_protocol import PlacedProtocol
from tests.support.http_app import BODY, HttpApp
from tests.support.server import Connection, serving
from tests.support.whole_app import ClientKeys

LIMIT = 1_048_576
POST = b"POST /v1/mail HTTP/1.1\r\nHost: limbo\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: limbo\r\n"


class HastyProtocol(PlacedProtocol):
    head_seconds = 0.3


@pytest.fixture(scope="module")
def http_app():
    return HttpApp()


@pytest.fixture(scope="module")
def address(http_app):
    with serving(http_app.app) as address:
        yield address


@pytest.fixture
def connection(address):
    with Connection(address) as connection:
        yield connection


@pytest.fixture(scope="module")
def hasty_address():
    """Return where a server listens that waits for nobody for long."""
    with serving(HttpApp(body_seconds=0.3).app, HastyProtocol, timeout_keep_alive=2) as address:
        yield address


@pytest.fixture
def hasty(hasty_address):
    with Connection(hasty_address) as connection:
        yield connection


@pytest.fixture(autouse=True)
def no_errors_in_the_log(caplog):
    with caplog.at_level(logging.WARNING):
        yield
    assert [r.getMessage() for r in caplog.records if r.levelno > logging.WARNING] == []


def length(body):
    return b"Content-Length: %d\r\n\r\n" % len(body)


def still_serves(address):
    with Connection(address) as connection:
        return connection.send(GET, b"\r\n").answer()[0] == 200


def test_the_head_of_an_answer_and_its_body_come_together(address):
    with socket.create_connection(address, timeout=20) as raw:
        raw.sendall(GET + b"\r\n")
        assert raw.recv(65536).endswith(b'\r\n\r\n{"health":"ok"}')


def test_a_head_without_a_body_comes_as_well(address):
    with socket.create_connection(address, timeout=20) as raw:
        raw.sendall(b"HEAD /health HTTP/1.1\r\nHost: limbo\r\n\r\n")
        head = raw.recv(65536)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.endswith(b"\r\n\r\n")


def test_a_head_that_is_refused_waits_for_no_body():
    seconds = []
    with serving(HttpApp(access=Access(None)).app) as address:
        for _ in range(5):
            with socket.create_connection(address, timeout=20) as raw:
                started = time.monotonic()
                raw.sendall(b"HEAD /v1/mail HTTP/1.1\r\nHost: limbo\r\nContent-Length: 10\r\n\r\n")
                assert raw.recv(65536).startswith(b"HTTP/1.1 401 ")
                seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.7  # the connection lingers for a second; the rest is the machine's


def test_a_mail_by_an_ordinary_client(address, http_app):
    url = "http://{}:{}/v1/mail".format(*address)
    reply = requests.post(url, data=BODY, timeout=20)
    assert (reply.status_code, reply.json()) == (200, {"Message": "submitted"})
    assert reply.headers["Location"] == f"/v1/mail/{http_app.outbox.mails[-1].id}"
    assert "Server" not in reply.headers


def test_a_head_request_has_the_headers_and_no_body(connection):
    connection.send(b"HEAD /health HTTP/1.1\r\nHost: limbo\r\nConnection: close\r\n\r\n")
    with pytest.raises(EOFError) as end:
        connection.answer()
    assert str(end.value) == "closed after b''"


def test_a_hundred_megabytes_are_refused_before_they_are_read(address):
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with Connection(address) as connection:
        connection.send(POST, b"Transfer-Encoding: chunked\r\n\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100_000_000:
                connection.send(chunk)
                sent += len(chunk)
        status, headers, body = connection.answer()
        assert status == 413
        assert headers["connection"] == "close"
        assert json.loads(body)["Problem"].startswith("the body is larger than the 1048576 bytes")
        assert connection.is_closed()
    assert sent < 20_000_000
    assert still_serves(address)


def test_an_announced_excess_is_refused_before_a_byte_of_it_is_sent(connection):
    connection.send(POST, b"Content-Length: %d\r\n\r\n" % (LIMIT + 1))
    assert connection.answer()[0] == 413


def test_a_client_that_sends_an_excess_to_its_end_can_read_why(address):
    url = "http://{}:{}/v1/mail".format(*address)
    reply = requests.post(url, data=b"x" * (2 * LIMIT), timeout=20)
    assert reply.status_code == 413
    assert requests.post(url, data=b"x" * LIMIT, timeout=20).status_code == 400


def test_a_slow_body_ends_after_its_time_whatever_trickles(hasty):
    started = time.monotonic()
    hasty.send(POST, b"Content-Length: 1000\r\n\r\n")
    stop = threading.Event()

    def trickle():
        while not stop.wait(0.05):
            try:
                hasty.send(b" ")
            except OSError:
                return

    thread = threading.Thread(target=trickle)
    thread.start()
    status, headers, _ = hasty.answer()
    assert 0.25 < time.monotonic() - started < 9  # the whole body would take 50
    stop.set()
    thread.join()
    assert (status, headers["connection"]) == (408, "close")
    assert hasty.is_closed()


def test_a_slow_head_is_408(hasty):
    hasty.send(POST)
    status, _, body = hasty.answer()
    assert status == 408
    assert json.loads(body)["Message"] == "not submitted"
    assert hasty.is_closed()


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n"])
def test_a_connection_that_asks_nothing_is_closed(hasty, sent):
    hasty.send(sent)
    started = time.monotonic()
    if sent:
        assert hasty.answer()[0] == 408
    assert hasty.is_closed()
    assert time.monotonic() - started < 9


def test_a_body_that_nobody_reads_is_not_awaited_for_ever(hasty):
    hasty.send(GET, b"Content-Length: 1000\r\n\r\n")
    assert hasty.answer()[0] == 200
    started = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < started + 10:
            hasty.send(b"x")
            time.sleep(0.05)
    assert time.monotonic() - started < 9


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"a" * 10_000_000,
        b"".join(b"X-%d: a\r\n" % n for n in range(500_000)),
        b"X-" + b"a" * 10_000_000,
    ],
    ids=["value", "many", "name"],
)
def test_a_head_that_does_not_end_is_431(connection, head):
    with pytest.raises(ConnectionError):
        connection.send(POST, head)
    assert connection.answer()[0] == 431


def test_a_url_that_does_not_end_is_431(connection):
    with pytest.raises(ConnectionError):
        connection.send(b"GET /" + b"a" * 10_000_000)
    assert connection.answer()[0] == 431


def test_a_client_that_goes_away_amid_its_body_leaves_no_trace(address, http_app, caplog, capsys):
    before = len(http_app.outbox.mails)
    for _ in range(5):
        connection = Connection(address)
        connection.send(POST, b"Content-Length: 1000\r\n\r\n", BODY)
        connection.close()
    assert still_serves(address)
    assert len(http_app.outbox.mails) == before
    assert caplog.records == []
    assert "Traceback" not in "".join(capsys.readouterr())


def test_a_client_that_does_not_await_its_answer_has_submitted_its_mail(address, http_app):
    before = len(http_app.outbox.mails)
    with Connection(address) as connection:
        connection.send(POST, length(BODY), BODY)
    until = time.monotonic() + 5
    while len(http_app.outbox.mails) == before and time.monotonic() < until:
        time.sleep(0.01)
    assert len(http_app.outbox.mails) == before + 1


def test_requests_in_one_packet_are_answered_in_their_order(connection):
    connection.send(*(POST + b"X-Request-ID: %d\r\n" % n + length(BODY) + BODY for n in range(50)))
    answers = [connection.answer() for _ in range(50)]
    assert [headers["x-request-id"] for _, headers, _ in answers] == [str(n) for n in range(50)]
    assert {status for status, _, _ in answers} == {200}


def test_a_connection_is_used_again_after_a_refusal(connection):
    for body, status in ((b"{", 400), (BODY, 200), (b"", 400), (BODY, 200)):
        assert connection.send(POST, length(body), body).answer()[0] == status


def test_a_body_is_asked_for_only_if_it_will_be_read(address):
    expecting = POST + b"Expect: 100-continue\r\n"
    with Connection(address) as connection:
        assert connection.send(expecting, length(BODY)).answer()[0] == 100
        assert connection.send(BODY).answer()[0] == 200
    with Connection(address) as connection:
        connection.send(expecting, b"Content-Length: %d\r\n\r\n" % (LIMIT + 1))
        assert connection.answer()[0] == 413


def test_http_1_0_is_answered_and_closed(connection):
    connection.send(b"POST /v1/mail HTTP/1.0\r\n", length(BODY), BODY)
    status, headers, _ = connection.answer()
    assert (status, headers["connection"]) == (200, "close")
    assert connection.is_closed()


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: +5\r\n\r\n",
        b"Content-Length: 5 5\r\n\r\n",
        b"Content-Length: 0x5\r\n\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"Content-Length : 5\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
        b"Transfer-Encoding\x0b: chunked\r\n\r\n0\r\n\r\n",
        b"X: a\r\n folded\r\n\r\n",
        b"X: a\x00b\r\n\r\n",
        b"X: a\rb\r\n\r\n",
        b"X\x00: a\r\n\r\n",
        b": a\r\n\r\n",
    ],
)
def test_what_two_parsers_could_read_in_two_ways_is_refused(address, connection, headers):
    connection.send(POST, headers)
    status, answered, body = connection.answer()
    assert 400 <= status < 500
    assert json.loads(body)["Message"] == "not submitted"
    assert answered.get("connection") == "close"
    assert connection.is_closed()
    assert still_serves(address)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /../../etc/passwd HTTP/1.1",
        b"GET /v1/mail/../../health HTTP/1.1",
        b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
        b"GET /%00%ff%c0%ae HTTP/1.1",
        b"GET /%zz%1 HTTP/1.1",
        b"GET /v1%2Fmail%0d%0aX:%20y HTTP/1.1",
        b"GET //evil.example/health HTTP/1.1",
        b"GET /" + b"%41" * 10_000 + b" HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"BREW / HTTP/1.1",
        b"GET / HTTP/9.9",
        b"PRI * HTTP/2.0",
        b"CONNECT evil.example:80 HTTP/1.1",
        b"GET http://evil.example/nothing HTTP/1.1",
        b"GET /\xff\xfe HTTP/1.1",
        b"nonsense",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_a_strange_request_line_is_a_4xx_without_an_echo(address, connection, line):
    connection.send(line, b"\r\nHost: limbo\r\n\r\n")
    status, _, body = connection.answer()
    assert 400 <= status < 500
    assert json.loads(body)["Message"] == "not submitted"
    assert b"etc" not in body
    assert b"evil" not in body
    assert still_serves(address)


def test_a_request_id_cannot_inject_a_header(connection):
    connection.send(GET, b"X-Request-ID: a\tb: c\r\n\r\n")
    status, headers, _ = connection.answer()
    assert status == 200
    assert "\t" not in headers["x-request-id"]


def test_a_mail_under_way_at_shutdown_is_answered():
    app = HttpApp()
    app.outbox.gate.clear()
    with serving(app.app) as address:
        host, port = address
        client = http.client.HTTPConnection(host, port, timeout=10)
        client.request("POST", "/v1/mail", BODY)
        until = time.monotonic() + 5
        while not app.outbox.calls and time.monotonic() < until:
            time.sleep(0.005)
        threading.Timer(0.2, app.outbox.gate.set).start()
    assert client.getresponse().status == 200
    client.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_head_of_very_many_headers_is_431(connection):
    connection.send(GET, b"".join(b"X-%d: a\r\n" % n for n in range(200)), b"\r\n")
    status, _, body = connection.answer()
    assert status == 431
    assert b"more than 128 headers" in body
    assert connection.is_closed()


@pytest.mark.parametrize("trailers", [b"X: a\r\n", b"x" * 64], ids=["many", "one"])
def test_trailers_without_an_end_are_431_while_the_body_is_read(address, trailers):
    sent = 0
    with Connection(address) as connection:
        connection.send(POST, b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 100_000_000:
                connection.send(trailers * 1000)
                sent += len(trailers) * 1000
        status, headers, body = connection.answer()
    assert (status, headers["connection"]) == (431, "close")
    assert json.loads(body)["Problem"] == "the request's trailers are longer than 65536 bytes"
    assert sent < 20_000_000
    assert still_serves(address)


@pytest.mark.parametrize("trailers", [b"X: a\r\n", b"x" * 64], ids=["many", "one"])
def test_trailers_without_an_end_behind_an_answer_end_the_connection(address, trailers):
    sent = 0
    with Connection(address) as connection:
        connection.send(GET, b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        assert connection.answer()[0] == 200
        with contextlib.suppress(ConnectionError):
            while sent < 100_000_000:
                connection.send(trailers * 1000)
                sent += len(trailers) * 1000
        assert connection.is_closed()
    assert sent < 20_000_000
    assert still_serves(address)


def chunked(body, *trailers):
    lines = b"".join(trailer + b"\r\n" for trailer in trailers)
    return b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n" % (
        len(body),
        body,
        lines,
    )


@pytest.mark.parametrize("together", [True, False], ids=["in one packet", "in two"])
def test_a_trailer_is_no_header(address, http_app, together):
    trailers = (b"Content-Encoding: gzip", b"Prefer: return=representation", b"X-Request-ID: t")
    whole = POST + chunked(BODY, *trailers, b"Idempotency-Key: k", b"Authorization: Bearer x")
    before = len(http_app.outbox.mails)
    with Connection(address) as connection:
        if together:
            connection.send(whole)
        else:
            connection.send(whole[:-20])
            time.sleep(0.05)
            connection.send(whole[-20:])
        status, headers, body = connection.answer()
        assert (status, json.loads(body)) == (200, {"Message": "submitted"})
        assert headers["x-request-id"] != "t"
        assert connection.send(GET, b"X-Request-ID: h\r\n\r\n").answer()[1]["x-request-id"] == "h"
    assert len(http_app.outbox.mails) == before + 1
    assert http_app.outbox.submissions[-1].idempotency is None


def test_a_key_in_a_trailer_opens_nothing():
    keys = ClientKeys()
    opened = HttpApp(access=Access(keys))
    key = b"Authorization: Bearer " + keys.create(KeyScope.SEND)[1].encode()
    with serving(opened.app) as address, Connection(address) as connection:
        assert connection.send(POST, key, b"\r\n", length(BODY), BODY).answer()[0] == 200
        assert connection.send(POST, chunked(BODY, key)).answer()[0] == 401
    assert len(opened.outbox.mails) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_a_client_that_half_closes_gets_its_answers_first(address, http_app, count):
    before = len(http_app.outbox.mails)
    with socket.create_connection(address, timeout=20) as raw:
        raw.sendall((POST + length(BODY) + BODY) * count)
        raw.shutdown(socket.SHUT_WR)
        answer = read_to_the_end(raw)
    assert answer.count(b"HTTP/1.1 200 OK") == count
    assert answer.count(b"connection: close") == 1
    assert len(http_app.outbox.mails) == before + count


def test_a_client_that_half_closes_waits_for_an_answer_that_takes_time():
    app = HttpApp()
    app.outbox.gate.clear()
    with serving(app.app) as address, socket.create_connection(address, timeout=20) as raw:
        raw.sendall(POST + length(BODY) + BODY)
        raw.shutdown(socket.SHUT_WR)
        threading.Timer(0.3, app.outbox.gate.set).start()
        assert read_to_the_end(raw).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_half_closes_amid_its_request_gets_no_answer(address, http_app):
    before = len(http_app.outbox.mails)
    for part in (POST, POST + length(BODY) + BODY[:-1]):
        with socket.create_connection(address, timeout=20) as raw:
            raw.sendall(part)
            raw.shutdown(socket.SHUT_WR)
            assert read_to_the_end(raw) == b""
    assert len(http_app.outbox.mails) == before


@pytest.mark.parametrize("stray", [b"ab", b"\x00\x00", b"}}", b"GET /\x00"])
def test_stray_bytes_behind_a_body_do_not_take_its_answer(stray):
    app = HttpApp()
    app.outbox.gate.clear()
    with serving(app.app) as address, socket.create_connection(address, timeout=20) as raw:
        raw.sendall((POST + length(BODY) + BODY) * 2 + stray)
        time.sleep(0.1)
        raw.sendall(stray)
        app.outbox.gate.set()
        answer = read_to_the_end(raw)
    assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200 OK") == 2
    assert len(app.outbox.mails) == 2


def read_to_the_end(raw):
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while data := raw.recv(65536):
            answer += data
    return answer


def test_garbage_behind_a_request_under_way_is_not_taken_for_its_answer():
    app = HttpApp()
    with serving(app.app) as address, Connection(address) as connection:
        app.outbox.gate.clear()
        connection.send(POST, length(BODY), BODY, b"garbage\r\n\r\n")
        threading.Timer(0.2, app.outbox.gate.set).start()
        status, headers, _ = connection.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert connection.is_closed()
    assert len(app.outbox.mails) == 1


@pytest.mark.parametrize("together", [True, False], ids=["in one packet", "in two"])
def test_a_body_behind_an_upgrade_is_not_read_as_a_request(connection, together):
    head = (
        b"POST /v1/mail HTTP/1.1\r\nHost: h\r\nContent-Length: 36\r\n"
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n\r\n"
    )
    body = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n\r\n"
    connection.send(head + body if together else head)
    if not together:
        with contextlib.suppress(ConnectionError):
            connection.send(body)
    status, _, answer = connection.answer()
    assert status == 400
    assert b"Upgrade" in answer
    assert connection.is_closed()


def test_requests_that_pile_up_behind_an_unread_answer_close_the_connection(connection, address):
    with contextlib.suppress(ConnectionError):
        connection.send(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n" * 5000)
    assert connection.is_closed()
    assert still_serves(address)
