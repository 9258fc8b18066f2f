"""Mails as they are stored: sealed, opened, by whom, and what of that a body shows."""

import json

import pytest

from limbo.adapters.encoding.codec import decode_mail, encode_mail
from limbo.adapters.encoding.mail_codec import HEAD_BYTES, PLAIN, MailCodec, key_name, shown_id
from limbo.adapters.encryption.aes_gcm import AesGcmSeal
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Undecodable
from tests.support.body_keys import a_codec
from tests.support.mails import a_full_mail, a_mail

K1, K2 = a_codec("k1"), a_codec("k2")
PRIVATE = ("Ann", "ann@", "bob@", "Ödön", "carol", "dave", "Grüße", "Wörld")


def altered(body, /, **changes):
    return json.dumps(json.loads(body) | changes, separators=(",", ":")).encode()


def test_a_sealed_body_shows_nothing_of_what_a_client_wrote():
    mail = a_full_mail()
    body = K1.encode(mail)
    assert K1.decode(body, "name") == K1.decode(body.decode(), "name") == mail
    assert not any(word in body.decode() for word in PRIVATE)
    assert all(word in encode_mail(mail).decode() for word in PRIVATE)


def test_the_same_mail_is_never_sealed_to_the_same_bytes():
    mail = a_mail()
    assert len({K1.encode(mail) for _ in range(100)}) == 100


def test_what_is_not_sealed_stays_readable_and_without_keys_nothing_is_sealed():
    mail = a_mail()
    assert PLAIN.encode(mail) == encode_mail(mail)
    assert K1.decode(PLAIN.encode(mail), "name") == mail


def test_all_keys_open_and_the_first_one_seals_so_that_they_can_be_rotated():
    mail = a_mail()
    old_first, new_first = a_codec("k1", "k2"), a_codec("k2", "k1")
    for writer in (K1, old_first, new_first):
        for reader in (old_first, new_first):
            assert reader.decode(writer.encode(mail), "name") == mail
    assert K2.decode(new_first.encode(mail), "name") == mail
    assert isinstance(K1.decode(new_first.encode(mail), "name"), Undecodable)


@pytest.mark.parametrize(
    "reader",
    [PLAIN, K2, MailCodec(AesGcmSeal({"k1": b"x" * 32}))],
    ids=["no keys", "another key", "another key under its id"],
)
def test_a_body_under_a_key_that_is_not_there_is_no_poison(reader):
    read = reader.decode(K1.encode(a_mail()), "name")
    assert (read.id, read.is_sealed, read.is_supported) == ("name", True, False)
    assert "body key k1." in read.reason


def test_an_older_limbo_leaves_a_sealed_body_as_that_of_a_newer_one():
    read = decode_mail(K1.encode(a_mail()), "name")
    assert isinstance(read, Undecodable)
    assert not read.is_supported


def test_a_body_sealed_by_a_newer_limbo_is_left():
    read = K1.decode(altered(K1.encode(a_mail()), v=1001), "name")
    assert (read.is_supported, read.is_sealed) == (False, False)


@pytest.mark.parametrize(
    "forge",
    [
        lambda body, _: altered(body, id="another"),
        lambda body, other: altered(other, id=json.loads(body)["id"]),
        lambda body, other: altered(body, body=json.loads(other)["body"]),
        lambda body, _: altered(body, body=json.loads(body)["body"][:-8] + "AAAAAAA="),
        lambda body, _: altered(body, body=""),
        lambda body, _: altered(body, body="?"),
        lambda body, _: altered(body, body=None),
        lambda body, _: altered(body, id=None),
        lambda body, _: body[:-5],
    ],
    ids=["id", "swapped", "body of another", "end", "empty", "no base64", "none", "no id", "cut"],
)
def test_bodies_cannot_be_altered_nor_take_the_place_of_another(forge):
    body, other = K1.encode(a_mail(subject="one")), K1.encode(a_mail(subject="other"))
    read = K1.decode(forge(body, other), "name")
    assert isinstance(read, Undecodable)
    assert read.is_supported


def test_a_body_sealed_for_one_id_that_holds_a_mail_of_another_is_no_mail():
    class Careless(AesGcmSeal):
        def seal(self, body, bound):
            return super().seal(body.replace(b'"mine"', b'"other"'), bound)

    careless = MailCodec(Careless({"k1": b"x" * 32}))
    read = careless.decode(careless.encode(a_mail(id="mine")), "name")
    assert read == Undecodable("name", "id: not the one that it is sealed for")


def test_the_id_and_the_key_can_be_told_without_any_key():
    mail = a_mail(subject='"}')
    sealed, plain = K1.encode(mail), encode_mail(mail)
    for body in (sealed, plain, sealed.decode(), plain.decode()):
        assert shown_id(body, "name") == mail.id
    assert key_name(sealed[:HEAD_BYTES]).startswith("k1.")
    assert key_name(sealed.decode()[:HEAD_BYTES]) == key_name(sealed[:HEAD_BYTES])
    assert key_name(plain[:HEAD_BYTES]) is None
    longest = MailCodec(AesGcmSeal({"k" * 32: b"x" * 32})).encode(mail)
    assert key_name(longest[:HEAD_BYTES]) == json.loads(longest)["sealed"]


@pytest.mark.parametrize(
    "body", ["{", '{"sealed":"k1', '{"sealed":"k1"}', '{"sealed":"k1","id":"ä"}']
)
def test_what_only_begins_like_a_sealed_body_is_no_mail(body):
    assert shown_id(body, "name") == "name"
    assert isinstance(K1.decode(body, "name"), Undecodable)


def test_a_mail_with_fields_of_a_newer_limbo_is_sealed_with_them():
    newer = a_mail(version=9, extra={"sealed": "mine", "priority": 1})
    read = K1.decode(K1.encode(newer), "name")
    assert isinstance(read, Mail)
    assert read == newer
