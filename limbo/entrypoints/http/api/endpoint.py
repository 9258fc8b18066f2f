"""What all operations except the submission share: access, parameters, problems."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from limbo.domain.access.api_key import Client
from limbo.domain.access.audit import Actor
from limbo.domain.mail.ids import canonical_id
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.access.client_address import client_address
from limbo.entrypoints.http.api.operation import Operation
from limbo.entrypoints.http.api.parameters import parse_query
from limbo.entrypoints.http.server.body import BodyReader
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.entrypoints.http.server.response import Header, OrjsonResponse
from limbo.entrypoints.http.server.strict_json import NotJson, parse_object
from limbo.entrypoints.http.server.turns import Turns

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authenticated request; ``query`` and ``document`` are what the client sent.

    ``check_again`` raises HttpRefusal once the client may no longer make the request.
    """

    request: Request
    client: Client
    check_again: Callable[[], object]
    query: Mapping[str, str]
    document: Mapping[str, object]
    headers: list[Header] = field(default_factory=list)
    """Headers of the response, which the handler may add to."""

    @property
    def actor(self) -> Actor:
        """Who makes the request, and from where, for the audit."""
        who = "anonymous" if self.client.key is None else f"key:{self.client.key}"
        return Actor(who=who, origin=client_address(self.request.scope))

    @property
    def id(self) -> str:
        """The id in the path."""
        return canonical_id(unquote(self.request.path_params["id"]))


Handler = Callable[[Call], Awaitable[Mapping[str, Any]]]


class Store(Generic[S]):
    """A store that handlers ask, off the event loop.

    Where limbo has no such store, ``store`` is None, and ``missing`` tells the client so.
    """

    def __init__(self, store: S | None, *, offload: Offload, missing: str) -> None:
        self._store = store
        self._offload = offload
        self._missing = missing
        self._turns = Turns(max(1, offload.threads // 2))

    async def ask(self, question: Callable[[S], T], client: str | None = None) -> T:
        """Return the answer; raises HttpRefusal with 501, or what store and offload raise.

        The questions of a client take half of the threads: many of one must not delay others.
        """
        store = self._store
        if store is None:
            raise HttpRefusal(HTTPStatus.NOT_IMPLEMENTED, self._missing)
        context = copy_context()  # what is logged there is of this request
        call = partial(self._offload.call, lambda: context.run(question, store))
        if client is None:
            return await call()
        async with asyncio.timeout(self._offload.seconds), self._turns.of(client):
            return await call()


class Endpoint:
    """The endpoint of one operation; its handler returns the JSON to answer, or raises."""

    def __init__(
        self, operation: Operation, handler: Handler, *, access: Access, reader: BodyReader
    ) -> None:
        if operation.scope is None:
            raise ValueError(operation.id)
        self._operation = operation
        self._needs = operation.scope
        self._names = tuple(parameter.name for parameter in operation.parameters)
        self._handler = handler
        self._access = access
        self._reader = reader

    async def respond(self, request: Request) -> Response:
        """Return the response; raises HttpRefusal, or what the handler raises."""
        operation = self._operation
        client = await self._access.authenticate(
            request.scope, self._needs, message=operation.failed
        )
        query = parse_query(request.scope["query_string"], self._names)
        document: Mapping[str, object] = {}
        check_again = partial(self._access.check_again, request.scope, client, self._needs)
        if operation.request is not None:
            body = await self._reader.read(request.scope, request.receive, client=client.id)
            document = _parse(body)
            client = check_again()  # a slow body may outlive the key
        call = Call(
            request=request,
            client=client,
            check_again=check_again,
            query=query,
            document=document,
        )
        response = OrjsonResponse(await self._handler(call))
        response.raw_headers += call.headers
        return response


def _parse(body: bytes) -> Mapping[str, object]:
    try:
        return parse_object(body)
    except NotJson as error:
        raise HttpRefusal(HTTPStatus.BAD_REQUEST, str(error), code=Code.NOT_JSON) from None
