"""Requests about limbo itself: health, readiness, metrics."""

import time
from collections.abc import Callable
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import Response

from limbo.domain.errors import LedgerUnavailable
from limbo.domain.mail.text import redact
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.entrypoints.http.server.response import OrjsonResponse
from limbo.entrypoints.telemetry.metrics import CONTENT_TYPE, Metrics

_READY_SECONDS = 1.0
_SILENT = "the queue does not answer"
log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Probes:
    """The handlers for people, orchestrators and Prometheus; none of them calls a provider.

    The process is ready if ``check`` raises nothing.
    """

    def __init__(
        self,
        *,
        check: Callable[[], object],
        metrics: Metrics,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._check = check
        self._metrics = metrics
        self._now = now
        self._offload = Offload(threads=2, calls=2, seconds=seconds)
        self._problem: str | None = _SILENT
        self._reason: str | None = None
        self._stale_at = 0.0

    async def hello(self, _: Request) -> Response:
        """Answer as the original limbo did."""
        return OrjsonResponse({"hello": "world"})

    async def health(self, _: Request) -> Response:
        """Answer as the original limbo did."""
        return OrjsonResponse({"health": "ok"})

    async def live(self, _: Request) -> Response:
        """Say that the process runs."""
        return OrjsonResponse({"live": "ok"})

    async def ready(self, _: Request) -> Response:
        """Say whether a mail could be kept now, and in general words why not."""
        try:
            problem = await self._offload.call(self._ask, key="ready")
        except TimeoutError:
            problem = _SILENT
        if problem is not None:
            raise _unavailable("not ready", problem)
        return OrjsonResponse({"ready": "ok"})

    def _ask(self) -> str | None:
        """Return the problem, or None. It is looked for in a thread, at most once a second."""
        if self._now() >= self._stale_at:
            self._problem = self._look()
            self._stale_at = self._now() + _READY_SECONDS
        return self._problem

    def _look(self) -> str | None:
        try:
            self._check()
        except Exception as error:  # noqa: BLE001 - whatever it is, no mail can be kept
            self._tell(redact(str(error)) or type(error).__name__)
            if isinstance(error, LedgerUnavailable):
                return "the ledger takes no mails"
            return "the queue takes no mails"
        self._tell(None)
        return None

    def _tell(self, reason: str | None) -> None:
        """Log that the process is not ready any more, or for another reason, or ready again."""
        if reason is not None and reason != self._reason:
            log.error("not ready", reason=reason)
        elif reason is None and self._reason is not None:
            log.info("ready again")
        self._reason = reason

    async def metrics(self, _: Request) -> Response:
        """Render the metrics."""
        try:
            text = await self._offload.call(self._metrics.render, key="metrics")
        except TimeoutError:
            raise _unavailable("no metrics", "they were not gathered in time") from None
        return Response(text, media_type=CONTENT_TYPE)


def _unavailable(message: str, detail: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, message=message)
