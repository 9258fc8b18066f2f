"""What an operation of the API is: what it is asked, who may, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from limbo.domain.access.api_key import KeyScope
from limbo.entrypoints.http.api.parameters import Parameter
from limbo.entrypoints.http.server.problems import NOT_DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderField:
    """A header of a request or an answer."""

    kind: Any
    description: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One method of one path; ``scope`` is what a key must be good for, None what is open to all.

    ``problems`` are the failures of its own, ``failed`` is how they begin.
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
    answer: Any = None
    answer_headers: Mapping[str, HeaderField] | None = None
    media_type: str = "application/json"
    problems: tuple[HTTPStatus, ...] = ()
    failed: str = NOT_DONE
