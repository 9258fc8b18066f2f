"""What all operations but the submission have in common: access, parameters, problems."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from limbo.domain.access import Client
from limbo.domain.errors import LedgerUnavailable, QueueUnavailable
from limbo.domain.text import redact
from limbo.entrypoints.http.access import Access
from limbo.entrypoints.http.answers import Answer
from limbo.entrypoints.http.body import BodyReader
from limbo.entrypoints.http.offload import Overloaded
from limbo.entrypoints.http.operation import Operation
from limbo.entrypoints.http.parameters import parse_query
from limbo.entrypoints.http.problems import RETRY_AFTER, Refused, answer
from limbo.entrypoints.http.strict_json import NotJson, parse_object

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that may be made: ``id`` is that of its path, ``document`` its body."""

    client: Client
    id: str
    query: Mapping[str, str]
    document: Mapping[str, object]
    receive: Receive


Handler = Callable[[Call], Awaitable[Mapping[str, Any]]]


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
        """Answer the request."""
        try:
            response = Answer(orjson.dumps(await self._handle(scope, receive)))
        except Refused as refused:
            response = answer(refused, scope, self._operation.failed)
        except (LedgerUnavailable, QueueUnavailable, Overloaded, TimeoutError) as error:
            reason = f"{type(error).__name__}: {redact(str(error))}"
            log.warning("not answered", operation=self._operation.id, reason=reason)
            response = answer(_unavailable(), scope, self._operation.failed)
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
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None


def _unavailable() -> Refused:
    detail = "limbo cannot look it up now; try again later"
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=[RETRY_AFTER])
