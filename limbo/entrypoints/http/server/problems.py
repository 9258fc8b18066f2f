"""Everything that is answered instead of "submitted", in the two forms a client may ask for."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

import orjson
from starlette.types import Scope

from limbo.domain.errors import LimboError, Problem
from limbo.domain.mail.mail import FIELDS
from limbo.entrypoints.http.server.headers import PROBLEM_JSON, header, wants_problem_json
from limbo.entrypoints.http.server.response import JSON, Header, Response

NOT_SUBMITTED = "not submitted"
NOT_DONE = "not done"
UNKNOWN = "unknown"
RETRY_AFTER: Header = (b"retry-after", b"5")
_MAX_SHOWN = 20


class HttpRefusal(LimboError):  # noqa: N818 - an answer, read in sentences
    """A request that is not done as asked, and why; it becomes the answer.

    ``message`` is said instead of what all failures of the operation begin with.
    ``close`` ends the connection after it, for a request that was not read to its end.
    """

    def __init__(
        self,
        status: HTTPStatus,
        problems: Sequence[Problem] | str,
        *,
        message: str | None = None,
        headers: Iterable[Header] = (),
        close: bool = False,
    ) -> None:
        super().__init__(status)
        self.status = status
        self.problems = (
            (Problem(pointer="", detail=problems),) if isinstance(problems, str) else problems
        )
        self.message = message
        self.headers = tuple(headers)
        self.close = close

    @property
    def pointers(self) -> list[str]:
        """Where the problems are, fit for a log: a name that limbo does not know is left out."""
        return [_without_foreign_names(problem.pointer) for problem in self.problems[:_MAX_SHOWN]]


def answer(refused: HttpRefusal, scope: Scope, failed: str = NOT_SUBMITTED) -> Response:
    """Return the answer in the form that the request's Accept header asks for.

    ``failed`` is the message of a refusal that has none of its own.
    """
    detail = _joined(refused.problems)
    if wants_problem_json(header(scope, b"accept").decode("latin-1")):
        media_type = PROBLEM_JSON.encode()
        document: dict[str, object] = {
            "type": "about:blank",
            "title": refused.status.phrase,
            "status": refused.status.value,
            "detail": detail,
            "errors": [
                {"pointer": _without_foreign_names(problem.pointer), "detail": problem.detail}
                for problem in refused.problems[:_MAX_SHOWN]
            ],
        }
    else:
        media_type = JSON
        document = {"Message": refused.message or failed, "Problem": detail}
    return Response(
        orjson.dumps(document),
        status=refused.status.value,
        headers=refused.headers,
        media_type=media_type,
        close=refused.close,
    )


def _joined(problems: Sequence[Problem]) -> str:
    shown = "; ".join(problem.detail for problem in problems[:_MAX_SHOWN])
    left = len(problems) - _MAX_SHOWN
    return f"{shown}; and {left} more" if left > 0 else shown


def _without_foreign_names(pointer: str) -> str:
    """Return the pointer if its first name is a field of a mail, else that of the whole."""
    return pointer if pointer[1:].partition("/")[0] in FIELDS else ""
