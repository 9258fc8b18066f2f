"""Real exchanges with a server that answers, stalls and breaks off as it is told."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from limbo.adapters.providers.http_api import HttpApi
from limbo.adapters.providers.response import NotSent, ProviderResponse, ResponseLost
from tests.support.processes import reserved_port
from tests.support.stub_provider import Answer, Behaviour, StubProvider
from tests.support.tls import server_context, write_certificate
from tests.support.working import until

OK = Answer(body='{"id": "1"}')
TIMEOUT = 10.0  # what is answered at all is answered within it, however busy the machine is
HASTY = 0.3  # where nothing can come but silence
MUCH = b"x" * 20_000_000
DRIPPED = replace(OK, body="x" * 1000, drip=0.02)  # for 20 seconds


@pytest.fixture
def server():
    with StubProvider(OK) as stub:
        yield stub


@pytest.fixture
def api(server):
    return connect(server.url)


@pytest.fixture
def hasty(server):
    return connect(server.url, HASTY)


def connect(
    url: str, timeout: float = TIMEOUT, connect_timeout: float = TIMEOUT, **limits: float
) -> HttpApi:
    return HttpApi.connect(
        url,
        headers={"Authorization": "Bearer token"},
        pool_size=4,
        timeout=timeout,
        connect_timeout=connect_timeout,
        **limits,
    )


def post(api: HttpApi, body: bytes = b"a=b") -> ProviderResponse:
    return api.post("/send", body, "text/plain")


def outcome(api: HttpApi, body: bytes = b"a=b") -> int | type[Exception]:
    """Return the status of the answer, or what there was instead."""
    try:
        return post(api, body).status
    except (NotSent, ResponseLost) as error:
        return type(error)


def outcomes(stub: StubProvider, *apis: HttpApi) -> list[int | type[Exception]]:
    """Post through each in turn; the stub has one request before the next is made."""
    found = []
    for count, api in enumerate(apis, len(stub.requests) + 1):
        found.append(outcome(api))
        until(lambda n=count: len(stub.requests) >= n)
    return found


@contextmanager
def listener(serve) -> Iterator[str]:
    """Listen on a port, and let ``serve`` have each connection on a thread."""
    with socket.create_server(("127.0.0.1", 0)) as accepting:
        accepting.settimeout(10)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = accepting.accept()
                    threading.Thread(target=run, args=(connection,), daemon=True).start()

        def run(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{accepting.getsockname()[1]}"


def test_posts_what_it_is_given(api, server):
    assert post(api).body == b'{"id": "1"}'
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/send", b"a=b")
    assert request.headers["authorization"] == "Bearer token"
    assert request.headers["accept-encoding"] == "identity"


def test_a_timeout_may_be_whole_seconds(server):
    assert outcome(connect(server.url, timeout=5)) == 200


@pytest.mark.parametrize(
    "answer",
    [
        Behaviour.CUT,
        Answer(body="zz\r\n", headers={"Transfer-Encoding": "chunked"}),
        Answer(headers={"Content-Length": "1, 2"}),
        Answer(headers={"Content-Encoding": "gzip"}, body="no gzip"),
        Answer(status=0),
        Answer(headers={"X": "x" * 70_000}),
        Answer(headers={f"X{i}": "x" for i in range(200)}),
        Behaviour.RESET,
    ],
    ids=lambda answer: repr(answer)[:60],
)
def test_an_answer_that_is_not_whole_is_lost(api, server, answer):
    server.script(answer)
    assert outcome(api) is ResponseLost
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body="{", headers={"Content-Length": "9"}),
        Answer(status=307, headers={"Location": "/", "Content-Length": "9"}),
        Behaviour.HANG,
    ],
    ids=lambda answer: repr(answer)[:60],
)
def test_an_answer_that_does_not_come_to_its_end_is_lost(hasty, server, answer):
    server.script(answer)
    assert outcome(hasty) is ResponseLost
    until(lambda: server.requests)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/html; charset"},
        {"Content-Type": ";;=;"},
        {"Set-Cookie": "a=b; expires=never; domain=.", "Set-Cookie2": "="},
        {"Location": "http://["},
    ],
    ids=repr,
)
@pytest.mark.parametrize("status", [200, 302])
def test_a_strange_header_does_not_hide_the_answer(api, server, status, headers):
    server.script(replace(OK, status=status, headers=headers))
    response = post(api)
    assert (response.status, response.body) == (status, b'{"id": "1"}')


@pytest.mark.parametrize("status", [200, 302])
def test_a_dripped_answer_is_awaited_no_longer_than_a_silent_one(hasty, server, status):
    headers = {"Location": server.url}
    server.script(Answer(status=status, body="x" * 1000, headers=headers, drip=0.02))
    start = time.monotonic()
    assert outcome(hasty) is ResponseLost
    assert time.monotonic() - start < 8  # the whole body would take 20


@pytest.mark.parametrize("status", [302, 500])
def test_a_huge_answer_is_not_read_to_its_end(api, server, status):
    server.script(
        Answer(status=status, body="x" * 50_000_000, headers={"Location": server.url}),
    )
    response = post(api)
    assert (response.status, len(response.body)) == (status, 64 * 1024)
    assert outcome(api) == 200
    assert server.connections == 2


def test_a_connection_is_used_again(api, server):
    server.script(OK, Answer(status=302, headers={"Location": "/"}), Answer(status=500), OK)
    assert [outcome(api) for _ in range(4)] == [200, 302, 500, 200]
    assert server.connections == 1


def test_a_connection_that_was_closed_while_idle_costs_no_request():
    closed = threading.Semaphore(0)

    def answer_and_close(connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"a=b"):
            request += connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        closed.release()

    with listener(answer_and_close) as address:
        api = connect(f"http://{address}")
        for _ in range(5):
            assert outcome(api) == 200
            assert closed.acquire(timeout=10)


@pytest.mark.parametrize(("idle_timeout", "connections"), [(30.0, 1), (0.1, 2)])
def test_a_connection_that_was_idle_for_long_is_not_trusted(server, idle_timeout, connections):
    api = connect(server.url, idle_timeout=idle_timeout)
    post(api)
    time.sleep(0.15)
    post(api)
    assert server.connections == connections


def test_a_redirect_takes_neither_body_nor_credentials_anywhere(api, server):
    with StubProvider() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            server.script(Answer(status=status, headers={"Location": elsewhere.url}))
            assert outcome(api) == status
        assert elsewhere.connections == 0


def test_cookies_are_not_kept(api, server):
    server.script(replace(OK, headers={"Set-Cookie": "a=b"}))
    post(api)
    post(api)
    assert "cookie" not in server.requests[1].headers


def test_an_environments_netrc_does_not_replace_the_credentials(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    post(connect(server.url))
    assert server.requests[0].headers["authorization"] == "Bearer token"


def test_where_nobody_listens_nothing_is_sent():
    with reserved_port() as reservation:
        url = f"http://127.0.0.1:{reservation.getsockname()[1]}"
        with pytest.raises(NotSent, match=r"^ConnectionRefusedError: .*refused$"):
            post(connect(url))


def test_to_an_unknown_host_nothing_is_sent():
    with pytest.raises(NotSent, match=r"^gaierror: "):
        post(connect("http://nowhere.invalid"))


def test_to_a_server_without_tls_nothing_is_sent(server):
    with pytest.raises(NotSent, match=r"^SSLError: "):
        post(connect(server.url.replace("http:", "https:")))


def test_a_header_that_cannot_be_written_is_not_sent(server):
    headers = {"Authorization": "Bearer s3cret\u0433"}
    api = HttpApi.connect(server.url, headers=headers, pool_size=1, timeout=TIMEOUT)
    with pytest.raises(NotSent, match=r"^UnicodeEncodeError: ") as raised:
        post(api)
    assert "s3cret" not in str(raised.value)
    assert server.requests == []


def test_a_reset_before_the_request_was_written_leaves_no_doubt(api, server):
    server.script(Behaviour.CLOSE)
    assert outcome(api, MUCH) is NotSent


def test_a_refusal_before_the_request_was_written_leaves_no_doubt(api, server):
    server.script(Answer(status=413, body='{"message": "too large"}', early=True))
    # The reset may overtake the answer.
    assert outcome(api, MUCH) in (413, NotSent)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return write_certificate(tmp_path_factory.mktemp("tls") / "stub.pem")


@pytest.fixture
def tls(certificate):
    return server_context(certificate)


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_keeps_its_limits_over_tls_too(tls):
    with StubProvider(OK, tls=tls) as stub:
        stub.script(
            OK,
            OK,
            DRIPPED,
            Behaviour.HANG,
            Behaviour.CUT,
            Behaviour.RESET,
            Answer(status=401),
            Behaviour.CLOSE,
        )
        api = connect(stub.url, 3.0)  # short, as it waits twice; one api for all, as it recovers
        assert outcomes(stub, *[api] * 7) == [200, 200, *[ResponseLost] * 4, 401]
        assert outcome(connect(stub.url), MUCH) is NotSent
        assert len(stub.requests) == 8


def test_a_certificate_of_an_unknown_authority_is_told_nothing(tls):
    with StubProvider(tls=tls) as stub:
        with pytest.raises(NotSent, match="certificate verify failed"):
            post(connect(stub.url))
        assert stub.requests == []


def read_slowly(connection: socket.socket) -> None:
    while connection.recv(16 * 1024):
        time.sleep(0.05)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_reads_slowly_is_given_up(tls, scheme):
    def serve(connection: socket.socket) -> None:
        if scheme == "https":
            connection = tls.wrap_socket(connection, server_side=True)
        with connection:
            read_slowly(connection)

    with listener(serve) as address:
        start = time.monotonic()
        api = connect(f"{scheme}://{address}", write_timeout=0.4)
        assert outcome(api, MUCH) is NotSent
        assert time.monotonic() - start < 15


def test_a_server_that_does_not_answer_in_tls_is_given_up_as_one_that_is_not_there():
    with listener(lambda connection: time.sleep(10) or connection) as address:
        start = time.monotonic()
        assert outcome(connect(f"https://{address}", connect_timeout=0.2)) is NotSent
        assert time.monotonic() - start < 8


def test_an_environments_proxy_is_used_within_the_same_limits(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    server.script(Answer(), DRIPPED, Behaviour.RESET)
    api, hasty = (connect("http://provider.invalid", timeout) for timeout in (TIMEOUT, HASTY))
    assert outcomes(server, api, hasty, api) == [200, ResponseLost, ResponseLost]
    assert server.requests[0].path == "http://provider.invalid/send"


def test_the_environment_is_read_once(server, monkeypatch):
    api = connect(server.url)
    post(api)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    assert outcome(api) == 200


def relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def tunnel(connection: socket.socket) -> None:
    """Do what a proxy does for CONNECT."""
    head = connection.recv(65536).decode()
    host, _, port = head.split()[1].rpartition(":")
    with socket.create_connection((host, int(port))) as server:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=relay, args=(server, connection), daemon=True).start()
        relay(connection, server)


@pytest.mark.usefixtures("trusted")
def test_an_environments_proxy_carries_tls_within_the_same_limits(tls, monkeypatch):
    with StubProvider(OK, tls=tls) as stub, listener(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        monkeypatch.setenv("NO_PROXY", "")
        stub.script(OK, OK, DRIPPED, Behaviour.HANG, OK)
        api, hasty = connect(stub.url), connect(stub.url, HASTY)
        found = outcomes(stub, api, api, hasty, hasty, api)
        assert found == [200, 200, ResponseLost, ResponseLost, 200]


@pytest.mark.parametrize(
    "serve",
    [
        lambda connection: connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
        lambda connection: time.sleep(10) or connection,
        lambda connection: [
            connection.sendall(b"HTTP/1.1 200 OK\r\n"),
            [(connection.sendall(b"X: y\r\n"), time.sleep(0.05)) for _ in range(200)],
        ],
    ],
    ids=["refuses", "silent", "drips"],
)
def test_a_proxy_that_makes_no_tunnel_is_given_up(monkeypatch, serve):
    with listener(serve) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        monkeypatch.setenv("NO_PROXY", "")
        start = time.monotonic()
        assert outcome(connect("https://provider.invalid", connect_timeout=0.3)) is NotSent
        assert time.monotonic() - start < 8
