"""The requests that may be counted: each starts at 0.

A counter that is born with its first event hides it: Prometheus sees no increase.
"""

from collections.abc import Collection, Iterator
from http import HTTPStatus

from limbo.entrypoints.http.api.middleware import CLIENT_GONE, METHODS
from limbo.entrypoints.http.api.operations import OPERATIONS
from limbo.entrypoints.http.api.routing import OTHER
from limbo.entrypoints.telemetry.metrics import Metrics

_METHODS = METHODS | {OTHER}  # all that HTTP does not define is one
_DONE_OR_GONE = (HTTPStatus.OK, CLIENT_GONE)
# See Guard: no path is looked at before.
_REFUSED_BEFORE_ROUTING = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def expect_requests(metrics: Metrics, ids: Collection[str]) -> None:
    """Let all requests to the operations with these ids, and to no path, be counted from 0."""
    for method, route, status in _expected(ids):
        metrics.http_requests.labels(method, route, status)
        metrics.http_duration.labels(route)


def _expected(ids: Collection[str]) -> Iterator[tuple[str, str, int]]:
    known = [operation for operation in OPERATIONS if operation.id in ids]
    for operation in known:
        for method in _methods(operation.method):
            for status in (*_DONE_OR_GONE, *operation.failures):
                yield method, operation.path, int(status)
    for path in {operation.path for operation in known}:
        there = {m for each in known if each.path == path for m in _methods(each.method)}
        for method in _METHODS - there:
            yield method, path, int(HTTPStatus.METHOD_NOT_ALLOWED)
    for method in _METHODS:
        for status in (HTTPStatus.NOT_FOUND, *_REFUSED_BEFORE_ROUTING):
            yield method, OTHER, int(status)


def _methods(method: str) -> tuple[str, ...]:
    """Return the method, and HEAD where there is GET."""
    return (method, "HEAD") if method == "GET" else (method,)
