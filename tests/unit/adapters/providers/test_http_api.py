import pytest
import requests
import responses
from responses.matchers import header_matcher, json_params_matcher, urlencoded_params_matcher

from limbo import __version__
from limbo.adapters.providers.http_api import HttpApi
from limbo.adapters.providers.response import NotSent, ProviderResponse, ResponseLost

URL = "https://api.provider.example/v1"


@pytest.fixture
def server():
    with responses.RequestsMock() as server:
        yield server


def connect(url: str = URL, **headers: str) -> HttpApi:
    return HttpApi.connect(url, headers=headers, pool_size=1, timeout=10.0)


def test_posts_a_form(server):
    server.post(
        f"{URL}/messages",
        match=[
            urlencoded_params_matcher({"subject": "Grüße & mehr", "text": "a=b\n"}),
            header_matcher({"Content-Type": "application/x-www-form-urlencoded"}),
        ],
    )
    connect().post_form("/messages", [("subject", "Grüße & mehr"), ("text", "a=b\n")])


def test_posts_json(server):
    document = {"subject": "Grüße", "to": [{"email": "a@b.example"}]}
    server.post(
        f"{URL}/send",
        match=[
            json_params_matcher(document),
            header_matcher({"Content-Type": "application/json"}),
        ],
    )
    connect().post_json("/send", document)


def test_posts_any_body_with_the_headers_of_the_api_and_no_others(server):
    headers = {
        "Accept-Encoding": "identity",
        "Authorization": "Bearer token",
        "Content-Length": "5",
        "Content-Type": "message/rfc822",
        "User-Agent": f"limbo/{__version__}",
    }
    server.post(f"{URL}/raw", match=[header_matcher(headers, strict_match=True)])
    connect(Authorization="Bearer token").post("/raw", b"\xff\x00\r\n.", "message/rfc822")
    assert server.calls[0].request.body == b"\xff\x00\r\n."


def test_no_request_inherits_from_the_one_before(server):
    server.post(f"{URL}/one")
    server.post(f"{URL}/two")
    api = connect()
    api.post_json("/one", {"a": "a much longer body"})
    api.post_form("/two", [("b", "c")])
    assert server.calls[1].request.body == "b=c"
    assert server.calls[1].request.headers["Content-Length"] == "3"


def test_returns_what_the_server_said(server):
    server.post(f"{URL}/x", status=429, headers={"Retry-After": "7"}, body=b'{"a": 1}')
    response = connect().post_json("/x", {})
    assert response == ProviderResponse(
        status=429, phrase="Too Many Requests", retry_after="7", body=b'{"a": 1}'
    )
    assert response.json_object() == {"a": 1}


def test_a_status_of_no_name_and_no_retry_after_are_empty(server):
    server.post(f"{URL}/x", status=599)
    response = connect().post_json("/x", {})
    assert response == ProviderResponse(status=599, phrase="", retry_after="", body=b"")


def test_a_long_body_is_cut(server):
    server.post(f"{URL}/x", body=b"x" * 1_000_000)
    assert len(connect().post_json("/x", {}).body) == 64 * 1024


@pytest.mark.parametrize("location", ["https://elsewhere.example/", "http://[", "\xff", ""])
def test_a_redirect_is_an_answer(server, location):
    server.post(f"{URL}/x", status=307, headers={"Location": location}, body=b"moved")
    response = connect().post_json("/x", {})
    assert (response.status, response.body) == (307, b"moved")


def test_a_cookie_is_not_sent_back(server):
    server.post(f"{URL}/x", headers={"Set-Cookie": "a=b"})
    api = connect()
    api.post_json("/x", {})
    api.post_json("/x", {})
    assert "Cookie" not in server.calls[1].request.headers


def test_a_slash_at_the_end_of_the_url_is_not_doubled(server):
    server.post(f"{URL}/x")
    assert connect(f"{URL}/").post_json("/x", {}).status == 200


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (requests.ConnectTimeout("timed out"), NotSent),
        (requests.ConnectionError("refused"), NotSent),
        (requests.exceptions.ProxyError("no tunnel"), NotSent),
        (requests.exceptions.SSLError("no certificate"), NotSent),
        (requests.ReadTimeout("timed out"), ResponseLost),
    ],
)
def test_tells_whether_the_server_may_have_acted(server, error, raised):
    server.post(f"{URL}/x", body=error)
    with pytest.raises(raised, match=f"^{type(error).__name__}: {error}$"):
        connect().post_json("/x", {})


@pytest.mark.parametrize("url", ["", "api.example", "http://", "https://*.example", "ftp://a.b"])
def test_a_url_that_is_none_is_never_called(url):
    with pytest.raises(NotSent):
        connect(url).post_json("/x", {})


@pytest.mark.parametrize("value", ["s3cret\nX: y", " s3cret"])
def test_a_header_that_cannot_be_sent_is_not_told(value):
    with pytest.raises(NotSent) as raised:
        connect("http://127.0.0.1:9", Authorization=value).post_json("/x", {})
    assert "s3cret" not in str(raised.value)
