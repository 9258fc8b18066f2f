"""Each field of a dead mail is shown to an operator who asks for the mail."""

import pytest

from limbo.domain.delivery.verdict import Cause
from limbo.domain.mail.mail import parse_mail
from limbo.entrypoints.cli.dead_letters.view import document_with_mail, letter_document, letter_text
from limbo.ports.dead_letters import DeadLetter
from tests.support.mail_fields import EVERY_FIELD, SAMPLES, changed


@pytest.mark.parametrize(("kind", "name"), EVERY_FIELD)
def test_each_field_of_the_mail_is_shown_where_it_is_asked_for(kind, name):
    mail = changed(kind, name)
    letter = DeadLetter(
        id="1",
        mail_id=mail.id,
        mail=mail,
        cause=Cause(kind="mail", reason="no"),
        attempts=(),
        buried_at=2.0,
    )
    word = SAMPLES[name].private.replace("%40", "@")
    document = document_with_mail(letter)
    assert document["mail"] == mail.fields.content(mail)
    assert name in mail.fields.multiline or word in str(document["mail"][name])
    shown = "\n".join(letter_text(letter, with_mail=True))
    if name in mail.fields.multiline:
        assert f"\n{document['mail'][name]}" in shown
    else:
        assert " ".join(word.split()) in shown
    assert "mail" not in letter_document(letter)
    assert word not in "\n".join(letter_text(letter, with_mail=False))


def test_a_body_controls_no_terminal():
    document = {"from": "a@b.example", "to": "c@d.example", "subject": "s"}
    mail = parse_mail(
        {**document, "message": "one\r\ntwo\rthree \u202e"}, id="id", submitted_at=1.0
    )
    letter = DeadLetter(
        id="1",
        mail_id=mail.id,
        mail=mail,
        cause=Cause(kind="mail", reason="no"),
        attempts=(),
        buried_at=2.0,
    )
    assert [*letter_text(letter, with_mail=True)][-1] == "\none\ntwo\\rthree \\u202e"
