"""The responses to requests that fail, in the two forms that a client may ask for."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

import orjson
from starlette.responses import Response
from starlette.types import Scope

from limbo.domain.errors import LimboError, Problem
from limbo.domain.mail.mail import FIELDS
from limbo.entrypoints.http.server.codes import CODES, Code
from limbo.entrypoints.http.server.headers import PROBLEM_JSON, header, wants_problem_json
from limbo.entrypoints.http.server.phrases import PHRASES
from limbo.entrypoints.http.server.response import ClosingResponse, Header

NOT_SUBMITTED = "not submitted"
NOT_DONE = "not done"
UNKNOWN = "unknown"
RETRY_AFTER: Header = (b"retry-after", b"5")
REFUSED_AS = "limbo.refused_as"
"""Where the scope of a request has the code of its refusal."""
_MAX_SHOWN = 20


class HttpRefusal(LimboError):  # noqa: N818 - an answer, read in sentences
    """Raised to refuse a request; it says why, and becomes the response.

    ``code`` says it to a program; without one it is the one that stands for the status.
    ``message`` replaces the message that the operation uses for all its failures. ``count`` is the
    number of problems, if not all of them are given. ``close`` closes
    the connection after the response, for a request that was not read to its end.
    """

    def __init__(
        self,
        status: HTTPStatus,
        problems: Sequence[Problem] | str,
        *,
        code: Code | None = None,
        message: str | None = None,
        count: int | None = None,
        headers: Iterable[Header] = (),
        close: bool = False,
    ) -> None:
        super().__init__(status)
        self.status = status
        self.code = code or CODES[status]
        self.problems = (
            (Problem(pointer="", detail=problems),) if isinstance(problems, str) else problems
        )
        self.count = len(self.problems) if count is None else count
        self.message = message
        self.headers = tuple(headers)
        self.close = close

    @property
    def pointers(self) -> list[str]:
        """Where the problems are, safe for a log: names that limbo does not know are left out."""
        return [_without_foreign_names(problem.pointer) for problem in self.problems[:_MAX_SHOWN]]


def problem_response(refusal: HttpRefusal, scope: Scope, failed: str = NOT_SUBMITTED) -> Response:
    """Return the response in the form that the request's Accept header asks for.

    ``failed`` is the message of a refusal that has no message of its own.
    """
    status = refusal.status.value
    detail = _joined(refusal)
    if wants_problem_json(header(scope, b"accept").decode("latin-1")):
        media_type = PROBLEM_JSON
        document: dict[str, object] = {
            "type": "about:blank",
            "title": PHRASES[status],
            "status": status,
            "detail": detail,
            "code": refusal.code,
            "errors": [
                {"pointer": _without_foreign_names(problem.pointer), "detail": problem.detail}
                for problem in refusal.problems[:_MAX_SHOWN]
            ],
        }
    else:
        media_type = "application/json"
        document = {"Message": refusal.message or failed, "Problem": detail, "code": refusal.code}
    kind = ClosingResponse if refusal.close else Response
    response = kind(orjson.dumps(document), status, media_type=media_type)
    response.raw_headers += refusal.headers  # a header may be there more than once
    return response


def refusal_bytes(status: int, problem: str) -> bytes:
    """Return a whole response, head and body, to what never became a request."""
    body = orjson.dumps({"Message": NOT_SUBMITTED, "Problem": problem, "code": CODES[status]})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        *([RETRY_AFTER] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
        (b"connection", b"close"),
    ]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, PHRASES[status].encode(), lines, body)


def _joined(refusal: HttpRefusal) -> str:
    shown = "; ".join(problem.detail for problem in refusal.problems[:_MAX_SHOWN])
    left = refusal.count - _MAX_SHOWN
    return f"{shown}; and {left} more" if left > 0 else shown


def _without_foreign_names(pointer: str) -> str:
    """Return the pointer if its first name is a field of a mail, else the empty pointer."""
    return pointer if pointer[1:].partition("/")[0] in FIELDS else ""
