"""An adapter for requests that ends each HTTP exchange within a known time.

A socket's read timeout starts again with every byte. So a server that sends an answer slowly could
block a thread for any time. Here, writing the request and reading the answer have one deadline
each.
"""

from functools import partial
from time import monotonic
from typing import Any

import urllib3
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import connection
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool

from limbo.adapters.providers.bounded_response import BoundedResponse, left
from limbo.adapters.providers.response import ResponseLost

_TLS_RECORD = 16 * 1024
_FINAL = 200  # an answer below it only announces another one


class BoundedAdapter(HTTPAdapter):
    """Sends requests to one server, over connections that keep deadlines.

    Raises ResponseLost if the request was written in full. Any other error means that it was not.
    The read timeout of a request is the time for the whole answer, including its body.
    """

    def __init__(self, *, pool_size: int, write_timeout: float, idle_timeout: float) -> None:
        self._limits = {"write_timeout": write_timeout, "idle_timeout": idle_timeout}
        self._pool: ConnectionPool | None = None
        super().__init__(pool_connections=1, pool_maxsize=pool_size)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        """Make direct connections keep deadlines."""
        super().init_poolmanager(*args, **kwargs)
        self._bind(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.PoolManager:  # noqa: ANN401
        """Make connections through a proxy keep deadlines."""
        return self._bind(super().proxy_manager_for(*args, **kwargs))

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:  # noqa: ANN401
        """Find the pool only once: all requests go to one server and share it."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def _bind(self, manager: urllib3.PoolManager) -> urllib3.PoolManager:
        pools: dict[str, Any] = {"http": _Pool, "https": _TlsPool}
        for scheme, pool in pools.items():
            pools[scheme] = partial(pool, **self._limits)
        manager.pool_classes_by_scheme = pools
        return manager

    def build_response(self, req: PreparedRequest, resp: urllib3.BaseHTTPResponse) -> Response:
        """Build a response without cookies and encoding, because nothing here uses them."""
        response = Response()
        response.status_code = resp.status
        response.reason = resp.reason or ""
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        response.url = req.url or ""
        response.request = req
        response.connection = self
        return response


class _Bounded(connection.HTTPConnection):
    """A connection that keeps its deadlines, and is not used again after a long idle time.

    Some load balancers drop idle connections without notice. The next request would be lost.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - passed on as they are
        write_timeout: float,
        idle_timeout: float,
        **kwargs: Any,  # noqa: ANN401 - passed on as they are
    ) -> None:
        super().__init__(*args, **kwargs)
        self._write_timeout = write_timeout
        self._idle_timeout = idle_timeout
        self._used_at = self._write_until = 0.0
        self._written = False

    @property
    def is_connected(self) -> bool:
        return super().is_connected and monotonic() - self._used_at < self._idle_timeout

    def connect(self) -> None:
        self._write_until = monotonic() + self._write_timeout
        self._await_answer()  # for a proxy's answer to CONNECT
        try:
            super().connect()
        except TimeoutError as error:
            # A timeout here, in TLS or at a proxy, is no ReadTimeout: nothing has been written yet.
            raise urllib3.exceptions.ConnectTimeoutError(self, "timed out") from error
        self._used_at = monotonic()

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        self._written = False
        self._write_until = monotonic() + self._write_timeout
        super().request(*args, **kwargs)
        self._written = True

    def send(self, data: Any) -> None:  # noqa: ANN401 - whatever http.client takes
        if self.sock is not None:
            self.sock.settimeout(left(self._write_until))
        super().send(data)

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override] # as urllib3 does
        self._await_answer()
        try:
            response = super().getresponse()
        except Exception as error:
            # urllib3 comes here even after a failed write, because an answer may have been sent
            # early.
            if self._written:
                raise ResponseLost(root_cause(error)) from error
            raise
        if response.status < _FINAL:
            # The answer that it announces would be taken for that of the next request.
            msg = f"no more than {response.status} came"
            raise ResponseLost(msg)
        self._used_at = monotonic()
        return response

    def _await_answer(self) -> None:
        assert isinstance(self.timeout, int | float)  # noqa: S101 - each request sets it
        until = monotonic() + self.timeout
        self.response_class = partial(BoundedResponse, deadline=until)  # type: ignore[assignment]


class _BoundedTls(_Bounded, connection.HTTPSConnection):
    def send(self, data: Any) -> None:  # noqa: ANN401 - as above
        # SSLSocket.sendall applies the timeout to each record, a plain socket to the whole call.
        for start in range(0, len(data), _TLS_RECORD):
            super().send(data[start : start + _TLS_RECORD])


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTls


def root_cause(error: BaseException) -> str:
    """Name the first error in the chain of causes."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return f"{type(error).__name__}: {error}".rstrip(": ")
