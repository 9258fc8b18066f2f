"""Each field is in each place that is made of the table, one made up here as well."""

import re
from dataclasses import fields as attributes_of

import pytest

from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.verdict import Failed, Fault
from limbo.domain.errors import InvalidMail
from limbo.domain.mail.mail import Mail
from limbo.domain.mail.mask import mask_words
from tests.support.mail_fields import EVERY_FIELD, NEWER, SAMPLES, VALID, RichMail, changed, parsed

every_field = pytest.mark.parametrize(("kind", "name"), EVERY_FIELD)
ENVELOPE = {"id", "submitted_at", "version", "extra"}


class Refusing:
    """A provider that repeats in its answer what it was told to."""

    name = "refusing"

    def __init__(self, answer):
        self.answer = answer

    def send(self, _mail):
        return Failed(Fault.MAIL, self.answer)

    def check(self):
        return None


def by_name(kind):
    return {field.name: field for field in kind.fields.placed}


@pytest.mark.parametrize("kind", [Mail, RichMail])
def test_each_field_has_an_attribute_and_each_attribute_a_field(kind):
    described = {field.attribute for field in kind.fields.placed}
    assert described == {attribute.name for attribute in attributes_of(kind)} - ENVELOPE
    assert set(kind.fields.names) == by_name(kind).keys() <= SAMPLES.keys()


@every_field
def test_each_field_is_parsed_into_its_own_attribute(kind, name):
    plain, rich = parsed(kind, VALID), changed(kind, name)
    differing = {
        attribute.name
        for attribute in attributes_of(kind)
        if getattr(plain, attribute.name) != getattr(rich, attribute.name)
    }
    assert differing - {"version"} == {by_name(kind)[name].attribute}


@every_field
def test_an_invalid_value_is_reported_where_it_stands(kind, name):
    with pytest.raises(InvalidMail) as caught:
        parsed(kind, VALID | {name: SAMPLES[name].invalid})
    (problem,) = caught.value.problems
    assert problem.pointer == SAMPLES[name].pointer
    assert re.match(rf"{name}\b", problem.detail)


@every_field
def test_a_missing_field_is_a_problem_only_if_it_is_required(kind, name):
    document = {key: value for key, value in VALID.items() if key != name}
    if by_name(kind)[name].required:
        with pytest.raises(InvalidMail) as caught:
            parsed(kind, document)
        assert [problem.pointer for problem in caught.value.problems] == [f"/{name}"]
    else:
        assert parsed(kind, document) == parsed(kind, VALID | {name: None}) == parsed(kind, VALID)


@every_field
def test_each_field_is_known(kind, name):
    with pytest.raises(InvalidMail, match=rf"unknown field; known are .*\b{name}\b"):
        parsed(kind, VALID | {"unheard_of": 1})


@every_field
def test_what_differs_in_one_field_is_another_mail(kind, name):
    assert changed(kind, name).fields.identity(changed(kind, name)) != kind.fields.identity(
        parsed(kind, VALID)
    )


@every_field
def test_a_providers_answer_repeats_nothing_private_of_any_field(kind, name):
    mail, word = changed(kind, name), SAMPLES[name].private
    dispatcher = Dispatcher([Refusing(f"I refuse {word.upper()} - {word}!")], now=lambda: 0.0)
    reason = dispatcher.dispatch(mail, 0).cause.reason
    assert " ".join(word.split()).lower() not in reason.lower()
    assert reason == mask_words(reason, [word])
    assert reason.startswith("I refuse ")


@every_field
def test_the_content_holds_each_field_and_a_client_sees_what_is_shown(kind, name):
    mail, field = changed(kind, name), by_name(kind)[name]
    value = getattr(mail, field.attribute)
    written = value if field.encode is None else field.encode(value)
    assert kind.fields.content(mail)[name] == written
    assert (name in kind.fields.shown(mail)) is (field.shown is not None)
    assert kind.fields.shown(mail).get(name, written) == written


def test_a_newer_field_changes_nothing_of_a_mail_without_it():
    old, new = parsed(Mail, VALID), parsed(RichMail, VALID)
    assert new.fields.content(new) == old.fields.content(old)
    assert new.fields.shown(new) == old.fields.shown(old)
    assert new.fields.identity(new) == old.fields.identity(old)


@every_field
def test_the_version_of_a_mail_is_the_first_that_has_all_its_fields(kind, name):
    assert parsed(kind, VALID).version == 1
    assert changed(kind, name).version == by_name(kind)[name].since
    assert changed(kind, name).is_supported


def test_the_version_that_is_supported_is_the_newest_fields():
    assert Mail.fields.version == max(field.since for field in by_name(Mail).values())
    assert RichMail.fields.version == NEWER == Mail.fields.version + 1
