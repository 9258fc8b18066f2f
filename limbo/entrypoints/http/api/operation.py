"""The description of one operation of the API: its request, its scope, its responses."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from limbo.domain.access.api_key import KeyScope
from limbo.entrypoints.http.api.parameters import Parameter
from limbo.entrypoints.http.server.problems import NOT_DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderField:
    """A header of a request or a response."""

    kind: Any
    description: str


EVERYWHERE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
WITH_ACCESS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One method of one path.

    ``scope`` is the scope that an API key must have; None means that the operation is open to all.
    ``problems`` are the statuses of its own failures, and ``failed`` is their message.
    """

    id: str
    method: str
    path: str
    summary: str
    description: str = ""
    tag: str
    scope: KeyScope | None = None
    parameters: tuple[Parameter[Any], ...] = ()
    request_headers: Mapping[str, HeaderField] | None = None
    request: Any = None
    response: Any = None
    response_headers: Mapping[str, HeaderField] | None = None
    media_type: str = "application/json"
    problems: tuple[HTTPStatus, ...] = ()
    failed: str = NOT_DONE

    @property
    def failures(self) -> frozenset[HTTPStatus]:
        """The statuses of all failures that it may answer."""
        access = () if self.scope is None else WITH_ACCESS
        unknown = (HTTPStatus.NOT_FOUND,) if "{" in self.path else ()
        return frozenset([*EVERYWHERE, *access, *unknown, *self.problems])
