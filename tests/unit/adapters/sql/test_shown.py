"""A row tells the fields of its mail, and takes no room where the other columns tell them."""

import pytest

from limbo.adapters.sql.shown import read_shown, write_shown
from limbo.domain.mail.mail import parse_mail
from tests.support.mail_fields import EVERY_FIELD, changed

MAIL = {"from": "a@b.example", "to": ["c@d.example", "e@f.example"], "subject": "s", "message": "m"}


def written_and_read(mail):
    shown = write_shown(mail)
    recipients = [address.email for address in mail.recipients]
    values = {"sender": mail.from_.email, "recipients": recipients, "subject": mail.subject}
    return shown, read_shown(shown, **values)


@pytest.mark.parametrize(
    ("fields", "is_empty"),
    [
        ({}, True),
        ({"to": "c@d.example"}, True),
        ({"from": "A <a@b.example>"}, False),
        ({"to": ["c@d.example", "E <e@f.example>"]}, False),
        ({"cc": "g@h.example"}, False),
        ({"bcc": "g@h.example"}, False),
    ],
)
def test_what_is_written_is_read_and_written_only_if_it_says_more(fields, is_empty):
    mail = parse_mail({**MAIL, **fields}, id="id", submitted_at=1.0)
    shown, read = written_and_read(mail)
    assert read == mail.fields.shown(mail)
    assert (shown == "") is is_empty


@pytest.mark.parametrize(("kind", "name"), EVERY_FIELD)
def test_each_field_is_read_as_it_was_written(kind, name):
    mail = changed(kind, name)
    assert written_and_read(mail)[1] == mail.fields.shown(mail)


def test_a_row_of_an_older_limbo_does_not_tell_who_is_in_which_field():
    assert read_shown(None, sender="a@b.example", recipients=["c@d.example"], subject="s") is None


def test_where_bodies_are_sealed_neither_names_nor_the_subject_are_written():
    named = {
        **MAIL,
        "from": "Alice <a@b.example>",
        "to": "Bob <c@d.example>",
        "bcc": ["e@f.example"],
        "subject": "Secret",
    }
    written = write_shown(parse_mail(named, id="id", submitted_at=1.0), seals=True)
    for private in ("Alice", "Bob", "Secret"):
        assert private not in written
    assert read_shown(written, sender="", recipients=(), subject="") == {
        "from": "a@b.example",
        "to": ["c@d.example"],
        "cc": [],
        "bcc": ["e@f.example"],
        "subject": "",
    }
