"""What holds for every request: an id, metrics, a log line, and no traceback for the client."""

import functools
import random
import re
import time
from http import HTTPStatus

import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from limbo.entrypoints.http.api.routing import OTHER
from limbo.entrypoints.http.server.body import ClientGone
from limbo.entrypoints.http.server.headers import header
from limbo.entrypoints.http.server.problems import HttpRefusal, answer
from limbo.entrypoints.http.server.response import COMMON, STATUS
from limbo.entrypoints.telemetry.logs import begin_request
from limbo.entrypoints.telemetry.metrics import Metrics

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CLIENT_GONE = 499  # nginx's name for it; never sent
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:+/=-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class ObservedApp(Starlette):
    """Starlette for the lifespan alone: requests go to ``app`` without its own layers' cost."""

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, lifespan: Lifespan[Starlette] | None = None
    ) -> None:
        super().__init__(lifespan=lifespan)
        self._http = Observation(app, metrics=metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request be answered, or the lifespan begin and end."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class Observation:
    """Gives each request an id, sees how it ends, and turns our own errors into a plain 500."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._log = log.bind()
        self._children = functools.cache(
            lambda method, route, status: (
                metrics.http_requests.labels(method, route, status),
                metrics.http_duration.labels(route),
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer every HTTP request, whatever the application inside does."""
        started = time.perf_counter()
        request_id = _request_id(scope)
        begin_request(request_id=request_id.decode())
        scope[COMMON] = [*_HEADERS, (b"x-request-id", request_id)]
        try:
            await self._app(scope, receive, send)
        except ClientGone:
            scope[STATUS] = CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the last place that can answer at all
            self._log.exception("request failed", exc_info=error)
            if STATUS not in scope:
                await _failure(scope)(scope, receive, send)
        finally:
            self._count(scope, scope.get(STATUS, 0), time.perf_counter() - started)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope.get("route", OTHER)  # a template, which bounds the labels
        method = scope["method"] if scope["method"] in _METHODS else "other"
        requests, duration = self._children(method, route, status)
        requests.inc()
        duration.observe(seconds)


def _request_id(scope: Scope) -> bytes:
    """Return the client's own id if it is fit for a header and a log, else a new one."""
    given = header(scope, b"x-request-id")
    if given and _REQUEST_ID.fullmatch(given):
        return given
    return b"%016x" % random.getrandbits(64)


def _failure(scope: Scope) -> ASGIApp:
    detail = "limbo itself failed; its log has the cause, under the id in X-Request-ID"
    return answer(HttpRefusal(HTTPStatus.INTERNAL_SERVER_ERROR, detail), scope)
