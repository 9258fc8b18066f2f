"""Reads the headers of a request."""

import re

from starlette.types import Scope

PROBLEM_JSON = "application/problem+json"
REPRESENTATION = "return=representation"
_TABLE = "limbo.headers"
_PLAIN_JSON = "application/json"
_QUALITY = re.compile(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", re.IGNORECASE)


def header(scope: Scope, name: bytes) -> bytes:
    """Return the value of a header; empty if it is missing, joined if it was sent repeatedly."""
    return (scope.get(_TABLE) or _table(scope)).get(name, b"")


def headers(scope: Scope, name: bytes) -> list[bytes]:
    """Return the values of a header, one for each time it was sent."""
    if name not in (scope.get(_TABLE) or _table(scope)):
        return []
    return [value for key, value in scope["headers"] if key == name]


def _table(scope: Scope) -> dict[bytes, bytes]:
    """Make a table of all headers by name, once for each request."""
    table: dict[bytes, bytes] = dict(scope["headers"])
    if len(table) < len(scope["headers"]):
        values: dict[bytes, list[bytes]] = {}
        for key, value in scope["headers"]:
            values.setdefault(key, []).append(value)
        table.update({key: b", ".join(each) for key, each in values.items()})
    scope[_TABLE] = table
    return table


def wants_problem_json(accept: str) -> bool:
    """Say whether an Accept header names RFC 9457, and prefers plain JSON no more than that."""
    qualities = dict(_quality(media_range) for media_range in accept.lower().split(","))
    liked = qualities.get(PROBLEM_JSON, 0.0)
    return liked > 0 and liked >= qualities.get(_PLAIN_JSON, 0.0)


def wants_representation(prefer: str) -> bool:
    """Say whether a Prefer header (RFC 7240) asks for the whole mail in the response."""
    preferences = (item.partition(";")[0] for item in prefer.lower().replace('"', "").split(","))
    first = next((item for item in map(_compact, preferences) if item.startswith("return=")), "")
    return first == REPRESENTATION


def _quality(media_range: str) -> tuple[str, float]:
    media_type, *parameters = media_range.split(";")
    found = next((match for text in parameters if (match := _QUALITY.fullmatch(text))), None)
    return media_type.strip(), float(found[1]) if found else 1.0


def _compact(text: str) -> str:
    return "".join(text.split())
