"""Makes Starlette's routes of the operations."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Scope

from limbo.entrypoints.http.api.operation import Operation

OTHER = "other"

Answering = Callable[[Request], Awaitable[Response]]
R = TypeVar("R", Route, Mount)


def route(operation: Operation, endpoint: Answering | ASGIApp, *, below: str = "") -> Route:
    """Return the route of an operation, which bears its id as name; ``below`` is its group's."""
    path = operation.path.removeprefix(below)
    return _exact(Route(path, endpoint, methods=[operation.method], name=operation.id))


def no_id(operation: Operation, *, below: str = "") -> Route:
    """Keep an operation's path from being taken, under other methods, for one with ``{id}``."""
    return _exact(Route(operation.path.removeprefix(below), _NoSuchMethod(), name=operation.id))


def group(path: str, routes: Sequence[BaseRoute]) -> Mount:
    """Return the routes below a path."""
    return _exact(Mount(path, Router(routes, redirect_slashes=False)))


def matched_template(scope: Scope) -> str:
    """Return the template of the route that has matched, of which there are few, or OTHER."""
    matched = scope.get("route")
    if not isinstance(matched, Route):  # a Mount none of whose routes has matched, or nothing
        return OTHER
    return f"{scope.get('root_path', '')}{matched.path}"


class _NoSuchMethod:
    """An ASGI application: with a plain function a Route would know GET alone."""

    async def __call__(self, *_: object) -> None:
        raise HTTPException(405)


def _exact(route: R) -> R:
    """Match a path to its very end, and any segment; Starlette's ``$`` overlooks a last newline.

    One slash more at the end is no other path.
    """
    pattern = route.path_regex.pattern.removesuffix("$")
    pattern += r"\Z" if pattern.endswith("/") else r"/?\Z"
    route.path_regex = re.compile(pattern, re.DOTALL)
    return route
