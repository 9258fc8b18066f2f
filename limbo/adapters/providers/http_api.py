"""One HTTP request that ends in a known time, and says whether the server may have acted on it.

A read timeout of a socket starts anew with every byte, so a server that drips an answer can hold
a thread for as long as it likes. Here the writing and the answer have one deadline each.
"""

import io
import socket
from dataclasses import dataclass
from functools import partial
from http.client import HTTPResponse
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import connection, connectionpool

from limbo import __version__
from limbo.domain.errors import LimboError

_ANSWER_BYTES = 64 * 1024
_CONNECT_SECONDS = 3.0
_IDLE_SECONDS = 20.0
_WRITE_SECONDS = 10.0
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept-Encoding": "identity",
    "User-Agent": f"limbo/{__version__}",
}


class NotSent(LimboError):  # noqa: N818 - what happened, read in sentences
    """The request was not written in full: the server cannot have acted on it."""


class ResponseLost(LimboError):  # noqa: N818 - what happened, read in sentences
    """The request was written in full and no whole answer came: the server may have acted on it.

    A server that closes an idle connection at the moment it is used again ends here too: what was
    written to it is either lost or not, and nothing tells which.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderResponse:
    """What the server said; ``body`` is cut at 64 KiB."""

    status: int
    phrase: str
    retry_after: str
    body: bytes


class BoundedSession:
    """A pool of connections without cookies, redirects or retries.

    The proxies and certificate authorities of the environment are honoured (``HTTPS_PROXY``,
    ``REQUESTS_CA_BUNDLE``), as they are at the first call; ``.netrc`` is not, as every request
    brings its own credentials.
    """

    def __init__(self, pool_size: int) -> None:
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=pool_size)
        self._routes: dict[str, tuple[Any, str]] = {}

    def post_form(
        self,
        url: str,
        fields: list[tuple[str, str]],
        *,
        authorization: str,
        timeout: float,
    ) -> ProviderResponse:
        """Post a form; the answer is awaited for ``timeout`` seconds from its end.

        Raises NotSent or ResponseLost, whose texts hold neither the fields nor the credentials.
        """
        try:
            pool, target = self._routes.get(url) or self._find_route(url)
            response = pool.urlopen(
                "POST",
                target,
                body=urlencode(fields).encode(),
                headers={**_HEADERS, "Authorization": authorization},
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout),
                retries=False,
                redirect=False,
                assert_same_host=False,  # a proxy's pool is asked for other hosts
                preload_content=False,
            )
        except (OSError, urllib3.exceptions.HTTPError) as error:  # requests' own are OSErrors
            raise NotSent(_root(error)) from error
        try:
            body = response.read(_ANSWER_BYTES, decode_content=True)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise ResponseLost(_root(error)) from error
        finally:
            response.close()
            response.release_conn()
        return ProviderResponse(
            status=response.status,
            phrase=response.reason or "",
            retry_after=response.headers.get("Retry-After", ""),
            body=body,
        )

    def _find_route(self, url: str) -> tuple[Any, str]:
        """Let requests find proxy and certificates, once: for each call that took 0.3 ms."""
        request = requests.Request("POST", url).prepare()
        assert request.url is not None  # noqa: S101 - prepare sets it
        found = requests.Session().merge_environment_settings(
            request.url, proxies={}, stream=True, verify=None, cert=None
        )
        proxies, verify = found["proxies"], found["verify"]
        pool = self._adapter.get_connection_with_tls_context(request, verify, proxies)
        self._adapter.cert_verify(pool, request.url, verify, None)  # type: ignore[no-untyped-call]
        route = self._routes[url] = pool, self._adapter.request_url(request, proxies)
        return route


class _Bounded(connection.HTTPConnection):
    """A connection that keeps its deadlines, and does not serve again after idling too long.

    Load balancers forget an idle connection, some without a word: the next request would be lost.
    """

    _used_at = 0.0
    _write_until = 0.0
    _written = False

    @property
    def is_connected(self) -> bool:
        return super().is_connected and monotonic() - self._used_at < _IDLE_SECONDS

    def connect(self) -> None:
        self._await_answer()  # a proxy's, to CONNECT
        super().connect()
        self._used_at = monotonic()

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        self._written = False
        self._write_until = monotonic() + _WRITE_SECONDS
        super().request(*args, **kwargs)
        self._written = True

    def send(self, data: Any) -> None:  # noqa: ANN401 - whatever http.client takes
        if self.sock is not None:
            self.sock.settimeout(_left(self._write_until))
        super().send(data)

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override] # as urllib3 does
        self._await_answer()
        try:
            response = super().getresponse()
        except Exception as error:
            # urllib3 comes here after a broken write as well, for an answer sent early.
            if self._written:
                raise ResponseLost(_root(error)) from error
            raise
        self._used_at = monotonic()
        return response

    def _await_answer(self) -> None:
        assert isinstance(self.timeout, int | float)  # noqa: S101 - post_form sets it
        until = monotonic() + self.timeout
        self.response_class = partial(_Response, deadline=until)  # type: ignore[assignment]


class _BoundedTls(_Bounded, connection.HTTPSConnection):
    pass


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, deadline))


class _Reader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer
        self._sock.settimeout(_left(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Pool(connectionpool.HTTPConnectionPool):
    ConnectionCls = _Bounded


class _TlsPool(connectionpool.HTTPSConnectionPool):
    ConnectionCls = _BoundedTls


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().init_poolmanager(*args, **kwargs)
        _bind(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.PoolManager:  # noqa: ANN401
        return _bind(super().proxy_manager_for(*args, **kwargs))


def _bind(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        msg = "timed out"
        raise TimeoutError(msg)
    return left


def _root(error: BaseException) -> str:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return f"{type(error).__name__}: {error}".rstrip(": ")
