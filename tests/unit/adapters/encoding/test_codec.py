"""A mail survives the queue, and no body from the queue can do harm."""

import json
import math
from dataclasses import replace

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limbo.adapters.encoding.codec import (
    decode_attempts,
    decode_cause,
    decode_mail,
    encode_attempts,
    encode_cause,
    encode_mail,
)
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause
from limbo.domain.mail.mail import FIELDS, Mail, parse_mail
from limbo.ports.queue import Undecodable
from tests.strategies import json_values, mails, verdicts

BODY = {
    "v": 1,
    "id": "m-1",
    "submitted_at": 1.5,
    "from": "a@b.c",
    "to": ["d@e.f"],
    "subject": "s",
    "message": "m",
}
KNOWN = {"v", "id", "submitted_at", *FIELDS}

# What any JSON library reads back as it was written.
plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=6,
)
extras = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name not in KNOWN),
    plain_json,
    max_size=3,
)


def decoded(**fields: object) -> Mail | Undecodable:
    document = {name.rstrip("_"): value for name, value in fields.items()}
    return decode_mail(json.dumps(BODY | document), "queue's own")


def reason(**fields: object) -> str:
    result = decoded(**fields)
    assert isinstance(result, Undecodable)
    assert result.id == "queue's own"
    return result.reason


@given(mails())
def test_a_mail_comes_back_equal(mail):
    body = encode_mail(mail)
    assert decode_mail(body, "name") == mail
    assert decode_mail(body.decode(), "name") == mail


@given(mails(), extras, st.integers(1, 2**64 - 1))
def test_what_a_newer_limbo_wrote_is_kept(mail, extra, version):
    newer = replace(mail, extra=extra, version=version)
    assert decode_mail(encode_mail(newer), "name") == newer
    assert newer.is_supported is (version <= Mail.fields.version)


def test_the_document_is_the_one_a_client_posts():
    mail = parse_mail(
        {"from": "A <a@b.c>", "to": "d@e.f", "subject": "s", "message": "m"},
        id="m-1",
        submitted_at=1.5,
    )
    assert orjson.loads(encode_mail(mail)) == BODY | {"from": "A <a@b.c>"}


def test_an_unknown_field_is_kept_in_the_same_version_too():
    mail = decoded(priority={"level": 1})
    assert isinstance(mail, Mail)
    assert mail.extra == {"priority": {"level": 1}}
    assert orjson.loads(encode_mail(mail))["priority"] == {"level": 1}


@pytest.mark.parametrize("version", [None, 0, -1, 1.0, True, "1", [1], {}])
def test_the_version_is_a_whole_number(version):
    assert reason(v=version) == "v: must be a whole number from 1"


@pytest.mark.parametrize("id_", [None, "", "a b", "a\n", "ä", "a" * 65, 1, ["a"], "../x"])
def test_the_id_is_short_and_plain(id_):
    assert reason(id=id_) == "id: must be 1 to 64 of A-Z a-z 0-9 _ -"


@pytest.mark.parametrize("at", [None, "1", True, [], {}])
def test_the_time_is_a_number(at):
    assert reason(submitted_at=at) == "submitted_at: must be seconds since the epoch"


@pytest.mark.parametrize("at", [-1, -0.001, 253402300800, 2**64, 10**300, 1e308])
def test_the_time_is_one_a_calendar_knows(at):
    assert reason(submitted_at=at) == "submitted_at: must be in the years 1970 to 9999"


def test_the_rules_of_a_mail_hold_in_the_queue():
    assert reason(subject="", to=[], from_="a") == (
        "no subject defined; no receivers defined; from: An email address must have an @-sign"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"{",
        b"nil",
        b"NaN",
        b'{"submitted_at": NaN}',
        b'{"submitted_at": 1e999}',
        b'{"submitted_at": -Infinity}',
        b'{"v": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"subject": "\\ud800"}',
        "\ud800",
        '{"subject": "\udfff"}',
    ],
)
def test_what_is_no_json_is_told_as_such(body):
    result = decode_mail(body, "name")
    assert isinstance(result, Undecodable)
    assert result.reason.startswith("not JSON: ")


@pytest.mark.parametrize("body", ["[]", "1", '"a"', "null", "true", "[" * 900 + "]" * 900])
def test_what_is_no_object_is_told_as_such(body):
    assert decode_mail(body, "name") == Undecodable("name", "not a JSON object")


@pytest.mark.parametrize("depth", [300, 900])
def test_what_could_not_be_written_back_is_not_read(depth):
    deep = "[" * depth + "]" * depth
    body = json.dumps(BODY)[:-1] + f', "x": {deep}}}'
    assert decode_mail(body, "name") == Undecodable("name", "nested too deeply")


def test_of_a_repeated_key_the_last_counts():
    mail = decode_mail(json.dumps(BODY)[:-1] + ', "subject": "t"}', "name")
    assert isinstance(mail, Mail)
    assert mail.subject == "t"


hostile_fields = st.dictionaries(
    st.sampled_from(sorted(KNOWN)) | st.text(), json_values, max_size=4
)


@given(
    st.binary()
    | st.text(st.characters())
    | json_values.map(json.dumps)
    | hostile_fields.map(lambda fields: json.dumps(BODY | fields))
)
@example("{}")
@example(json.dumps(BODY | {"submitted_at": 2**64, "v": 2**64}))
def test_any_body_is_a_mail_or_undecodable(body):
    result = decode_mail(body, "name")
    if isinstance(result, Mail):
        assert decode_mail(encode_mail(result), "name") == result
    else:
        assert result.id == "name"
        result.reason.encode()


MARKER = "qzjxkwv"


@given(
    st.builds("{}{}{}".format, st.text(max_size=4), st.just(MARKER), st.text(max_size=4))
    | st.builds(
        lambda name, value: json.dumps(BODY | {name: value}),
        st.sampled_from(sorted(KNOWN)),
        st.sampled_from([MARKER, f'"{MARKER}', [MARKER + "\n"], {MARKER: MARKER}, f"<{MARKER}@"]),
    )
)
def test_no_reason_repeats_the_body(body):
    result = decode_mail(body, "name")
    if isinstance(result, Undecodable):
        assert MARKER not in result.reason


@given(st.builds(Cause, kind=st.just("mail"), sender=st.just("ses"), reason=st.text('aä\n"😀')))
def test_a_cause_comes_back_equal(cause):
    assert decode_cause(encode_cause(cause)) == cause


attempts = st.builds(
    Attempt,
    sender=st.sampled_from(["ses", "fake.a"]),
    started_at=st.floats(0, 4e9),
    duration=st.floats(0, 1e3),
    verdict=verdicts | st.builds(Accepted, st.text()),
)


@given(st.lists(attempts, max_size=4))
def test_attempts_come_back_equal(attempts):
    assert decode_attempts(encode_attempts(attempts)) == attempts


def test_an_error_of_ours_does_not_travel():
    attempt = Attempt(
        sender="ses", started_at=1, duration=math.pi, verdict=Accepted("x"), error=OSError("secret")
    )
    assert decode_attempts(encode_attempts([attempt])) == [replace(attempt, error=None)]


@given(st.binary() | json_values.map(json.dumps))
@example("1")
@example("[1]")
@example("{}")
@example('[{"sender": "a", "started_at": [], "duration": 1}]')
@example('[{"sender": "a", "started_at": 1, "duration": 1, "fault": "x", "retry_after": 1}]')
@pytest.mark.parametrize("decode", [decode_cause, decode_attempts])
def test_anything_else_is_a_value_error(decode, body):
    try:
        decode(body)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most bodies raise, and some may not


def test_what_an_older_limbo_has_taken_in_a_header_is_left_out_and_sent():
    document = {
        "v": 1,
        "id": "id",
        "submitted_at": 1.0,
        "from": "A\u200e <a@b.example>",
        "to": ["B\u202e <b@c.example>"],
        "subject": "gnp\u202e.exe",
        "message": "\u202e stays",
    }
    mail = decode_mail(json.dumps(document), "name")
    assert (str(mail.from_), str(mail.to[0])) == ("A <a@b.example>", "B <b@c.example>")
    assert (mail.subject, mail.message) == ("gnp.exe", "\u202e stays")
