"""JSON Schema (2020-12) of the types of requests and responses."""

from enum import StrEnum
from inspect import cleandoc
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

Schema = dict[str, Any]
_NAMES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
    dict: "object",
}


class Facts:
    """Keywords of JSON Schema that ``Annotated`` adds to a type."""

    def __init__(self, **keywords: object) -> None:
        self.keywords: Schema = keywords


class Schemas:
    """Makes the schema of a type, and keeps the schema of each TypedDict once, under its name.

    A TypedDict whose name is in ``closed`` allows no names except its own.
    """

    def __init__(self, closed: frozenset[str] = frozenset()) -> None:
        self._closed = closed
        self._named: dict[str, Schema] = {}

    @property
    def named(self) -> dict[str, Schema]:
        """The TypedDicts met so far, in the order of their names."""
        return dict(sorted(self._named.items()))

    def of(self, kind: Any) -> Schema:  # noqa: ANN401 - types have no common type
        """Return the schema of a type."""
        origin, arguments = get_origin(kind), get_args(kind)
        if origin is None:
            return self._plain(kind)
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin in (Union, UnionType):
            return {"anyOf": [self.of(argument) for argument in arguments]}
        if origin is Literal:
            return {"const": arguments[0]} if len(arguments) == 1 else {"enum": [*arguments]}
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        return self.of(arguments[0])  # Required or NotRequired in a TypedDict

    def _plain(self, kind: Any) -> Schema:  # noqa: ANN401
        if kind is object:  # the Facts around it hold its schema
            return {}
        if is_typeddict(kind):
            return self._reference(kind)
        if issubclass(kind, StrEnum):
            return {"type": "string", "enum": [member.value for member in kind]}
        return {"type": _NAMES[kind]}

    def _annotated(self, kind: Any, facts: tuple[Facts, ...]) -> Schema:  # noqa: ANN401
        schema = self.of(kind)
        for fact in facts:
            schema = schema | fact.keywords
        return schema

    def _reference(self, kind: Any) -> Schema:  # noqa: ANN401
        name = kind.__name__
        if name not in self._named:
            self._named[name] = {}  # a type may hold itself
            self._named[name] = self._object(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, kind: Any) -> Schema:  # noqa: ANN401
        hints = get_type_hints(kind, include_extras=True)
        schema: Schema = {
            "type": "object",
            "description": " ".join(cleandoc(kind.__doc__ or "").split()),
            "properties": {name: self.of(hint) for name, hint in hints.items()},
            "required": [name for name in hints if name in kind.__required_keys__],
        }
        if kind.__name__ in self._closed:
            schema["additionalProperties"] = False
        return schema
