import json
import re
from pathlib import Path
from typing import Annotated, Literal, NotRequired, TypedDict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openapi_spec_validator import validate

from limbo.domain.access.api_key import KeyScope
from limbo.domain.delivery.verdict import Fault
from limbo.domain.mail.text import body_problem, header_problem
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.api.idempotency_key import PATTERN
from limbo.entrypoints.http.api.json_schema import Facts, Schemas
from limbo.entrypoints.http.api.openapi import openapi_document, render
from limbo.entrypoints.http.api.operations import OPERATIONS
from tests.support.asgi import call
from tests.support.http_app import HttpApp
from tests.support.whole_app import WholeApp

COMMITTED = Path(__file__).parents[5] / "openapi.json"
DOCUMENT = openapi_document()
_HOW = "write it again: python -m limbo.entrypoints.http.api.openapi > openapi.json"


class Leaf(TypedDict):
    """A leaf."""

    name: Annotated[str, Facts(minLength=1)]
    size: NotRequired[int | None]


class Tree(Leaf):
    """A tree,
    of leaves.
    """

    leaves: list[Leaf]
    kind: Literal["a", "b"]
    is_green: Literal[True]
    fault: Annotated[Fault, Facts(description="whose")]
    trees: list["Tree"]


def test_the_committed_document_is_what_the_code_says():
    assert COMMITTED.read_bytes() == render(DOCUMENT), _HOW


def test_the_served_document_is_the_committed_one():
    reply = WholeApp().ask("GET", "/openapi.json")
    assert reply.json() == json.loads(COMMITTED.read_bytes())


@pytest.mark.parametrize("scopes", [(), (KeyScope.SEND, KeyScope.READ)])
def test_the_document_is_valid(scopes):
    validate(openapi_document(anonymous_scopes=scopes))


def test_where_no_key_is_needed_it_says_so():
    access = Access(None, anonymous_scopes=[KeyScope.SEND])
    reply = HttpApp(access=access).ask("GET", "/openapi.json")
    paths = reply.json()["paths"]
    assert {} in paths["/v1/mail"]["post"]["security"]
    assert {} not in paths["/v1/mail"]["get"]["security"]


def test_the_document_covers_what_is_routed_and_nothing_else():
    described = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    assert described == {(each.method, each.path) for each in OPERATIONS}
    for operation in OPERATIONS:
        path = operation.path.replace("{id}", "x")
        reply = HttpApp().run(lambda app, o=operation, p=path: call(app, o.method, p))
        assert (
            str(reply.status_code)
            in DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
        )
        assert reply.status_code not in (404, 405)


def test_every_operation_that_needs_a_key_says_so_and_what_is_answered_without():
    for operation in OPERATIONS:
        entry = DOCUMENT["paths"][operation.path][operation.method.lower()]
        assert bool(entry["security"]) is (operation.scope is not None)
        assert ("401" in entry["responses"]) is (operation.scope is not None)


@given(st.text())
@example("\u2028")
@example("\x85")
@example("\uffff")
def test_the_pattern_of_a_subject_is_the_rule_itself(text):
    pattern = DOCUMENT["components"]["schemas"]["NewMail"]["properties"]["subject"]["pattern"]
    assert bool(re.fullmatch(pattern[1:-1], text)) is (header_problem(text) is None)


@given(st.text())
@example("a\tb\nc\rd")
@example("\x0b")
def test_the_pattern_of_a_message_is_the_rule_itself(text):
    pattern = DOCUMENT["components"]["schemas"]["NewMail"]["properties"]["message"]["pattern"]
    assert bool(re.fullmatch(pattern[1:-1], text)) is (body_problem(text) is None)


def test_the_pattern_of_an_idempotency_key_is_the_rule_itself():
    (key, *_) = DOCUMENT["paths"]["/v1/mail"]["post"]["parameters"]
    assert (key["name"], key["schema"]["pattern"]) == ("Idempotency-Key", PATTERN)


def test_a_schema_is_written_from_a_type():
    schemas = Schemas(closed=frozenset({"Leaf"}))
    assert schemas.of(Tree) == {"$ref": "#/components/schemas/Tree"}
    assert schemas.named == {
        "Leaf": {
            "type": "object",
            "description": "A leaf.",
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            },
            "required": ["name"],
            "additionalProperties": False,
        },
        "Tree": {
            "type": "object",
            "description": "A tree, of leaves.",
            "properties": {
                "name": {"type": "string", "minLength": 1},
                "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                "leaves": {"type": "array", "items": {"$ref": "#/components/schemas/Leaf"}},
                "kind": {"enum": ["a", "b"]},
                "is_green": {"const": True},
                "fault": {
                    "type": "string",
                    "enum": ["mail", "account", "identity", "rate", "outage", "unknown"],
                    "description": "whose",
                },
                "trees": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
            },
            "required": ["name", "leaves", "kind", "is_green", "fault", "trees"],
        },
    }
