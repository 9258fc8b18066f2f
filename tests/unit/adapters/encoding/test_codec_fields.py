"""Each field comes back from the queue, and a mail of today's fields is written as ever."""

import json

import orjson
import pytest

from limbo.adapters.encoding.codec import decode_mail, encode_mail
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Undecodable
from tests.support.mail_fields import (
    EVERY_FIELD,
    FIRST_FULL,
    FIRST_PLAIN,
    NEWER,
    SAMPLES,
    VALID,
    RichMail,
    changed,
    parsed,
)

HEAD = '"v":1,"id":"m-1","submitted_at":1.5'
# As written by the first version, and read by its workers.
WRITTEN = [
    (FIRST_PLAIN, f'{{{HEAD},"from":"a@b.c","to":["d@e.f"],"subject":"s","message":"m"}}'),
    (
        FIRST_FULL,
        (
            f'{{{HEAD},"from":"\\"Muster, Erna\\" <erna@a.example>"'
            ',"to":["Zoë <you@b.example>","x@b.example"],"subject":"Grüße 🎉"'
            r',"message":"a\r\n\tb\n"'
            ',"cc":["c@d.example"],"bcc":["e@f.example"]}'
        ),
    ),
]


@pytest.mark.parametrize(("kind", "name"), EVERY_FIELD)
def test_each_field_comes_back_equal(kind, name):
    mail = changed(kind, name)
    document = orjson.loads(encode_mail(mail))
    assert document["v"] == mail.version
    assert name in document
    assert decode_mail(encode_mail(mail), "name", kind) == mail


@pytest.mark.parametrize("kind", [Mail, RichMail])
@pytest.mark.parametrize(("document", "written"), WRITTEN)
def test_a_mail_of_the_first_fields_is_written_as_ever(kind, document, written):
    assert encode_mail(parsed(kind, document)).decode() == written
    assert decode_mail(written, "name", kind) == parsed(kind, document)


def test_an_older_limbo_leaves_a_newer_mail_alone_and_keeps_all_of_it():
    newer = changed(RichMail, "made_up")
    seen = decode_mail(encode_mail(newer), "name")
    assert isinstance(seen, Mail)
    assert (seen.is_supported, seen.version) == (False, NEWER)
    assert decode_mail(encode_mail(seen), "name", RichMail) == newer


def test_a_field_that_came_with_too_low_a_version_raises_it():
    body = {"v": 1, "id": "m-1", "submitted_at": 1.5, **VALID, "made_up": SAMPLES["made_up"].value}
    mail = decode_mail(json.dumps(body), "name", RichMail)
    assert isinstance(mail, RichMail)
    assert mail.version == NEWER


@pytest.mark.parametrize(("version", "is_supported"), [(1, True), (NEWER, False)])
def test_what_only_a_newer_limbo_takes_for_a_mail_is_no_poison(version, is_supported):
    body = {"v": version, "id": "m-1", "submitted_at": 1.5, **VALID, "message": ""}
    seen = decode_mail(json.dumps(body), "name")
    assert seen == Undecodable("name", "no message defined", is_supported=is_supported)
