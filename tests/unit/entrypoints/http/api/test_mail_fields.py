"""Each field of a mail is in the schemas, in what they describe, and in the fingerprint."""

import pytest

from limbo.domain.mail.mail import Mail
from limbo.entrypoints.http.api.idempotency_key import idempotency
from limbo.entrypoints.http.api.json_schema import Schemas
from limbo.entrypoints.http.api.openapi import openapi_document
from limbo.entrypoints.http.api.representations import submitted_mail
from limbo.entrypoints.http.api.schemas import mail_resource, new_mail
from limbo.entrypoints.http.api.schemas import submitted_mail as submitted_mail_type
from tests.support.mail_fields import (
    EVERY_FIELD,
    FIRST_FULL,
    FIRST_PLAIN,
    VALID,
    RichMail,
    changed,
    parsed,
)

every_field = pytest.mark.parametrize(("kind", "name"), EVERY_FIELD)
TYPES = {"NewMail": new_mail, "SubmittedMail": submitted_mail_type, "MailResource": mail_resource}
# Computed by the first version; keys of a day live in databases through an update.
FINGERPRINTS = [
    (
        FIRST_PLAIN,
        "2ebb1d286e09eae07d304c4dd6eba31b9ec3663a118a9c86d827cd88017be023",
    ),
    (
        FIRST_FULL,
        "e3b69c8de0c358fb83b6b272f9e7ac8efe13ba8224191c70a9944a4cd7dd79b8",
    ),
]


def schemas(kind):
    made = Schemas()
    for make in TYPES.values():
        made.of(make(kind.fields))
    return made.named


def field(kind, name):
    return next(each for each in kind.fields.placed if each.name == name)


def fingerprint(mail):
    return idempotency("k", mail).fingerprint


@every_field
def test_each_field_is_in_the_schema_of_a_request_as_described(kind, name):
    schema = schemas(kind)["NewMail"]
    assert schema["properties"][name] == field(kind, name).request
    assert (name in schema["required"]) is field(kind, name).required


@every_field
@pytest.mark.parametrize("answer", ["SubmittedMail", "MailResource"])
def test_each_field_that_is_shown_is_in_the_schemas_of_answers(kind, name, answer):
    properties = schemas(kind)[answer]["properties"]
    assert properties.get(name) == field(kind, name).shown


@pytest.mark.parametrize("name", TYPES)
def test_the_document_has_the_schemas_of_the_table(name):
    document = openapi_document()["components"]["schemas"][name]
    document.pop("additionalProperties", None)
    assert document == schemas(Mail)[name]


@every_field
def test_what_is_answered_is_what_its_schema_says(kind, name):
    schema = schemas(kind)["SubmittedMail"]
    for mail in (parsed(kind, VALID), changed(kind, name)):
        answer = submitted_mail(mail)
        assert set(schema["required"]) <= answer.keys() <= schema["properties"].keys()
    assert (name in answer) is (field(kind, name).shown is not None)


@every_field
def test_each_field_changes_the_fingerprint(kind, name):
    assert fingerprint(changed(kind, name)) != fingerprint(parsed(kind, VALID))


@pytest.mark.parametrize("kind", [Mail, RichMail])
@pytest.mark.parametrize(("document", "expected"), FINGERPRINTS)
def test_the_fingerprint_of_a_mail_of_the_first_fields_is_as_ever(kind, document, expected):
    assert fingerprint(parsed(kind, document)) == expected
