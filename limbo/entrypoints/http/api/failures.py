"""The responses to errors: Starlette's exception handlers, the same for all routes."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from limbo.domain.errors import AuditUnavailable, LedgerUnavailable, QueueUnavailable
from limbo.domain.mail.text import redact
from limbo.entrypoints.http.api.operations import OPERATIONS
from limbo.entrypoints.http.api.routing import matched_template
from limbo.entrypoints.http.server.body import ClientGone
from limbo.entrypoints.http.server.offload import Overloaded
from limbo.entrypoints.http.server.problems import (
    NOT_SUBMITTED,
    REFUSED_AS,
    RETRY_AFTER,
    UNKNOWN,
    HttpRefusal,
    problem_response,
)
from limbo.entrypoints.http.server.response import NoResponse

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_FAILED = {operation.id: operation.failed for operation in OPERATIONS}


async def _refused(request: Request, error: Exception) -> Response:
    return _refusal_response(request, cast("HttpRefusal", error))  # registered for this type only


def _refusal_response(request: Request, refusal: HttpRefusal) -> Response:
    """Say why the request is refused, with the message that its operation uses for failures."""
    request.scope[REFUSED_AS] = refusal.code
    return problem_response(refusal, request.scope, _FAILED.get(_name(request), NOT_SUBMITTED))


async def _unavailable(request: Request, error: Exception) -> Response:
    """Answer that a store is not available."""
    _log_unavailable(request, error)
    detail = "limbo cannot do that now; try again later"
    refusal = HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=[RETRY_AFTER])
    return _refusal_response(request, refusal)


async def _timed_out(request: Request, error: Exception) -> Response:
    """Answer that the outcome is unknown: what was asked for may still be under way.

    There is no Retry-After, which would ask the client to start it a second time.
    """
    if request.method in ("GET", "HEAD"):
        return await _unavailable(request, error)
    _log_unavailable(request, error)
    detail = "limbo has not done it in time, and may go on; look before you ask for it again"
    refusal = HttpRefusal(HTTPStatus.GATEWAY_TIMEOUT, detail, message=UNKNOWN)
    return _refusal_response(request, refusal)


def _log_unavailable(request: Request, error: Exception) -> None:
    reason = f"{type(error).__name__}: {redact(str(error))}"
    log.warning("not answered", operation=_name(request), reason=reason)


async def _not_found(request: Request, _: Exception) -> Response:
    """Answer that the path does not exist."""
    detail = "no such path; mails go to POST /v1/mail"
    return problem_response(HttpRefusal(HTTPStatus.NOT_FOUND, detail), request.scope)


async def _wrong_method(request: Request, _: Exception) -> Response:
    """Answer which methods the path has: Starlette would name those of only one of its routes."""
    template = matched_template(request.scope)
    methods = {operation.method for operation in OPERATIONS if operation.path == template}
    known = ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))
    detail = f"this path does not know the method; it knows {known}"
    headers = [(b"allow", known.encode())]
    refusal = HttpRefusal(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers=headers)
    return problem_response(refusal, request.scope)


async def _client_gone(_: Request, __: Exception) -> Response:
    """Send nothing: the client has gone away."""
    return NoResponse()


async def _failed(request: Request, _: Exception) -> Response:
    """Answer that limbo has a defect; Starlette raises the error again, and Observation logs it."""
    detail = "limbo itself failed; its log has the cause, under the id in X-Request-ID"
    return problem_response(HttpRefusal(HTTPStatus.INTERNAL_SERVER_ERROR, detail), request.scope)


def _name(request: Request) -> str:
    """Return the id of the operation whose route matched the request, or an empty string."""
    return getattr(request.scope.get("route"), "name", None) or ""


EXCEPTION_HANDLERS: Mapping[Any, ExceptionHandler] = {
    HttpRefusal: _refused,
    AuditUnavailable: _unavailable,
    LedgerUnavailable: _unavailable,
    QueueUnavailable: _unavailable,
    Overloaded: _unavailable,
    TimeoutError: _timed_out,
    ClientGone: _client_gone,
    HTTPStatus.NOT_FOUND: _not_found,
    HTTPStatus.METHOD_NOT_ALLOWED: _wrong_method,
    Exception: _failed,
}
