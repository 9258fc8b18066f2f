"""The OpenAPI 3.1 document, made from the operations and the types of their JSON.

``python -m limbo.entrypoints.http.api.openapi`` prints it.
"""

import re
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from limbo import __version__
from limbo.domain.access.api_key import KeyScope
from limbo.entrypoints.http.api.json_schema import Schema, Schemas
from limbo.entrypoints.http.api.operation import EVERYWHERE, WITH_ACCESS, HeaderField, Operation
from limbo.entrypoints.http.api.operations import OPERATIONS
from limbo.entrypoints.http.api.schemas import REQUESTS, Id, ProblemDetails, ShortProblem
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.phrases import PHRASES

_RETRY_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_DESCRIPTION = """\
limbo takes mails over HTTP, keeps them in a durable queue, and sends them through whichever
provider is up. `submitted` is answered once a mail is kept; its `Location` shows what became of it.

A client sees and cancels its own mails alone. A failure is
`{"Message": …, "Problem": …, "code": …}`, or by RFC 9457 for those whose `Accept` names
`application/problem+json`. Programs read its `code`: the texts may change."""
_SCHEMES: Schema = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The API key."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The API key is the password; the user's name counts for nothing.",
    },
}


def openapi_document(
    operations: Iterable[Operation] = OPERATIONS, *, anonymous_scopes: Collection[KeyScope] = ()
) -> Schema:
    """Return the document; operations of the ``anonymous_scopes`` need no API key."""
    schemas = Schemas(closed=REQUESTS)
    paths: dict[str, Schema] = {}
    for operation in operations:
        path = paths.setdefault(operation.path, {})
        path[operation.method.lower()] = _operation(operation, schemas, anonymous_scopes)
    problem = schemas.of(ShortProblem)
    details = schemas.of(ProblemDetails)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "limbo",
            "version": __version__,
            "summary": "A mail gateway you host yourself.",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "mails", "description": "Submit mails, and see what became of them."},
            {"name": "dead letters", "description": "The mails that limbo gave up on."},
            {"name": "audit", "description": "What admins did."},
            {"name": "probes", "description": "About limbo itself; open to all."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.named,
            "responses": {_name(status): _problem(status, problem, details) for status in _ALL},
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "securitySchemes": _SCHEMES,
        },
    }


def _operation(
    operation: Operation, schemas: Schemas, anonymous_scopes: Collection[KeyScope]
) -> Schema:
    entry: Schema = {
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation, schemas),
        "responses": _responses(operation, schemas),
        "security": [],
    }
    if operation.description:
        entry["description"] = operation.description
    if operation.scope is not None:
        needs = [operation.scope.value]
        entry["security"] = [{"bearer": needs}, {"basic": needs}]
        if operation.scope in anonymous_scopes:
            entry["security"].append({})
    if operation.request is not None:
        entry["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas.of(operation.request)}},
        }
    return {name: value for name, value in entry.items() if value != [] or name == "security"}


def _parameters(operation: Operation, schemas: Schemas) -> list[Schema]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": schemas.of(Id)}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    query = [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": schemas.of(parameter.kind),
        }
        for parameter in operation.parameters
    ]
    headers = [
        {"name": name, "in": "header", **field}
        for name, field in _fields(operation.request_headers, schemas).items()
    ]
    return [*path, *query, *headers, {"$ref": "#/components/parameters/X-Request-ID"}]


def _responses(operation: Operation, schemas: Schemas) -> Schema:
    done = {
        "description": "Done.",
        "headers": {**_fields(operation.response_headers, schemas), **_REFERENCES},
        "content": {operation.media_type: {"schema": schemas.of(operation.response)}},
    }
    problems = {
        str(status.value): {"$ref": f"#/components/responses/{_name(status)}"}
        for status in sorted(operation.failures)
    }
    return {"200": done, **problems}


def _problem(status: HTTPStatus, short: Schema, details: Schema) -> Schema:
    headers = dict(_REFERENCES)
    if status in _RETRY_LATER:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
    codes = ", ".join(f"`{code}`" for code in Code if code.status == status)
    why = _WHY.get(status, "")
    return {
        "description": " ".join(f"{PHRASES[status]}. {why} Codes: {codes}.".split()),
        "headers": headers,
        "content": {
            "application/json": {"schema": short},
            "application/problem+json": {"schema": details},
        },
    }


def _fields(fields: Mapping[str, HeaderField] | None, schemas: Schemas) -> dict[str, Schema]:
    return {
        name: {"description": field.description, "schema": schemas.of(field.kind)}
        for name, field in (fields or {}).items()
    }


def _name(status: HTTPStatus) -> str:
    return PHRASES[status].replace(" ", "").replace("-", "")


_WHY: dict[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The request is not as described; the problem names what is wrong.",
    HTTPStatus.UNAUTHORIZED: "There is no API key, or it is not known, revoked or expired.",
    HTTPStatus.FORBIDDEN: "The API key lacks the scope, or may not be used from there.",
    HTTPStatus.NOT_FOUND: "There is none of that id, or it is another client's.",
    HTTPStatus.REQUEST_TIMEOUT: "The request took too long to arrive.",
    HTTPStatus.CONFLICT: "It is too late, or the first submission under this key is under way.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Another mail was submitted under this key.",
    HTTPStatus.NOT_IMPLEMENTED: "This limbo keeps nothing that could answer.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Nothing was kept or changed for certain; try again later.",
    HTTPStatus.GATEWAY_TIMEOUT: "It is unknown whether it was done, and it may be yet.",
}
_ALL = sorted({*EVERYWHERE, *WITH_ACCESS, *(s for o in OPERATIONS for s in o.problems), *_WHY})
_PARAMETERS: Schema = {
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "An id of your own, kept if it is 1 to 64 of A-Z a-z 0-9 . _ : + / = -",
        "schema": {"type": "string"},
    }
}
_HEADERS: Schema = {
    "X-Request-ID": {
        "description": "The request's id, as sent with it or made up; the log has it too.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds after which trying again may help.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "The ways to send an API key.",
        "schema": {"type": "string"},
    },
}
_REFERENCES: Schema = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}


def render(document: Mapping[str, Any]) -> bytes:
    """Return the document as the bytes of openapi.json."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def document_endpoint(document: Mapping[str, Any]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that shows the document."""
    body = orjson.dumps(document)

    async def show(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return show


if __name__ == "__main__":
    sys.stdout.buffer.write(render(openapi_document()))
