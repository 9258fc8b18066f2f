"""What all operations but the submission have in common: access, parameters, problems."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from limbo.domain.access.api_key import Client
from limbo.domain.errors import LedgerUnavailable, QueueUnavailable
from limbo.domain.mail.text import redact
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.api.operation import Operation
from limbo.entrypoints.http.api.parameters import parse_query
from limbo.entrypoints.http.server.body import BodyReader
from limbo.entrypoints.http.server.offload import Offload, Overloaded
from limbo.entrypoints.http.server.problems import RETRY_AFTER, UNKNOWN, HttpRefusal, answer
from limbo.entrypoints.http.server.response import Response
from limbo.entrypoints.http.server.strict_json import NotJson, parse_object

log: structlog.stdlib.BoundLogger = structlog.get_logger()
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that may be made: ``id`` is that of its path, ``document`` its body."""

    client: Client
    id: str
    query: Mapping[str, str]
    document: Mapping[str, object]
    receive: Receive


Handler = Callable[[Call], Awaitable[Mapping[str, Any]]]


class Store(Generic[S]):
    """What handlers ask, off the event loop; None where there is none, and ``missing`` says so."""

    def __init__(self, store: S | None, *, offload: Offload, missing: str) -> None:
        self._store = store
        self._offload = offload
        self._missing = missing

    async def ask(self, question: Callable[[S], T]) -> T:
        """Return the answer; raises HttpRefusal with 501, or what store and offload raise."""
        store = self._store
        if store is None:
            raise HttpRefusal(HTTPStatus.NOT_IMPLEMENTED, self._missing)
        return await self._offload.call(lambda: question(store))


class Endpoint:
    """One operation as an ASGI application: its handler returns what to answer, or refuses."""

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what the handler returns, or why it does not."""
        try:
            response = Response(orjson.dumps(await self._handle(scope, receive)))
        except HttpRefusal as refused:
            response = answer(refused, scope, self._operation.failed)
        except (LedgerUnavailable, QueueUnavailable, Overloaded, TimeoutError) as error:
            reason = f"{type(error).__name__}: {redact(str(error))}"
            log.warning("not answered", operation=self._operation.id, reason=reason)
            may_go_on = isinstance(error, TimeoutError) and self._operation.method != "GET"
            problem = _unknown() if may_go_on else _unavailable()
            response = answer(problem, scope, self._operation.failed)
        await response(scope, receive, send)

    async def _handle(self, scope: Scope, receive: Receive) -> Mapping[str, Any]:
        failed = self._operation.failed
        client = await self._access.authenticate(scope, self._needs, message=failed)
        query = parse_query(scope["query_string"], self._names)
        document: Mapping[str, object] = {}
        if self._operation.request is not None:
            document = _parse(await self._reader.read(scope, receive))
        call = Call(
            client=client,
            id=scope.get("id", ""),
            query=query,
            document=document,
            receive=receive,
        )
        return await self._handler(call)


def _parse(body: bytes) -> Mapping[str, object]:
    try:
        return parse_object(body)
    except NotJson as error:
        raise HttpRefusal(HTTPStatus.BAD_REQUEST, str(error)) from None


def _unavailable() -> HttpRefusal:
    detail = "limbo cannot do that now; try again later"
    return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=[RETRY_AFTER])


def _unknown() -> HttpRefusal:
    """Claim nothing of what may still be under way; no Retry-After, lest it is begun once more."""
    detail = "limbo has not done it in time, and may go on; look before you ask for it again"
    return HttpRefusal(HTTPStatus.GATEWAY_TIMEOUT, detail, message=UNKNOWN)
