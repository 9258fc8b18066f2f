"""Finds who answers a path and a method: by one look into a table for nearly all of them."""

from collections import defaultdict
from collections.abc import Awaitable, Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from limbo.entrypoints.http.api.operation import Operation
from limbo.entrypoints.http.server.problems import HttpRefusal, answer

OTHER = "other"
_ID = "{id}"


class Routes:
    """An ASGI application for the operations; a path may end with ``{id}``, any single segment.

    It leaves the template that matched in ``scope["route"]``, and the id in ``scope["id"]``.
    """

    def __init__(self, handlers: Mapping[Operation, ASGIApp]) -> None:
        self._paths: dict[str, dict[str, ASGIApp]] = defaultdict(dict)
        for operation, handler in handlers.items():
            methods = self._paths[operation.path]
            methods[operation.method] = handler
            if operation.method == "GET":
                methods["HEAD"] = handler

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let the handler answer, or refuse with 404 or 405."""
        template = self._template(scope)
        if template is None:
            detail = "no such path; mails go to POST /v1/mail"
            return answer(HttpRefusal(HTTPStatus.NOT_FOUND, detail), scope)(scope, receive, send)
        scope["route"] = template
        methods = self._paths[template]
        handler = methods.get(scope["method"]) or _wrong_method(methods, scope)
        return handler(scope, receive, send)

    def _template(self, scope: Scope) -> str | None:
        path: str = scope["path"]
        if path in self._paths and not path.endswith(_ID):
            return path
        parent, _, last = path.rpartition("/")
        template = f"{parent}/{_ID}"
        if last and template in self._paths:
            scope["id"] = last
            return template
        return None


def _wrong_method(methods: Mapping[str, ASGIApp], scope: Scope) -> ASGIApp:
    known = ", ".join(sorted(methods))
    detail = f"this path does not know the method; it knows {known}"
    headers = [(b"allow", known.encode())]
    return answer(HttpRefusal(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers=headers), scope)
