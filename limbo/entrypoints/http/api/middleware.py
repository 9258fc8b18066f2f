"""What holds for every request: an id, headers, metrics, and a log line when limbo fails."""

import functools
import random
import re
import time
from collections.abc import Awaitable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from limbo.entrypoints.http.api.guard import Guard
from limbo.entrypoints.http.api.routing import matched_template
from limbo.entrypoints.http.server.bodies import HELD
from limbo.entrypoints.http.server.headers import header
from limbo.entrypoints.http.server.problems import REFUSED_AS, problem_response
from limbo.entrypoints.telemetry.log_fields import begin_request
from limbo.entrypoints.telemetry.metrics import Metrics

log: structlog.stdlib.BoundLogger = structlog.get_logger()

CLIENT_GONE = 499  # nginx's name for it; never sent
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:+/=-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Observation:
    """Gives each request an id, sees how it is answered, and lets no error through.

    What its guard refuses, the application never sees.

    It goes around a whole application, which answers an error before it raises it.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, guard: Guard) -> None:
        self._app = app
        self._guard = guard
        self._log = log.bind()
        self._children = functools.cache(
            lambda method, route, status: (
                metrics.http_requests.labels(method, route, status),
                metrics.http_duration.labels(route),
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Observe a request; let a lifespan pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        begin_request(request_id=request_id.decode())
        common = [*_HEADERS, (b"x-request-id", request_id)]
        status = 0

        def send_observed(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *common]
            return send(message)

        try:
            refusal = self._guard.refusal(scope)
            app = self._app if refusal is None else problem_response(refusal, scope)
            await app(scope, receive, send_observed)
            status = status or CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the server would log it once more
            self._log.exception("request failed", exc_info=error)
        finally:
            self._count(scope, status, time.perf_counter() - started)
            if HELD in scope:
                scope[HELD].drop()

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        requests, duration = self._children(method, matched_template(scope), status)
        requests.inc()
        duration.observe(seconds)
        if (code := scope.get(REFUSED_AS)) is not None:
            self._guard.note(scope, code)


def _request_id(scope: Scope) -> bytes:
    """Return the client's own id if it is fit for a header and a log, else a new one."""
    given = header(scope, b"x-request-id")
    if given and _REQUEST_ID.fullmatch(given):
        return given
    return b"%016x" % random.getrandbits(64)
