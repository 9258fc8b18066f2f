import email
import email.policy
import re
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbo.adapters.providers.mime import message_bytes, message_id
from limbo.domain.errors import InvalidMail
from limbo.domain.mail.address import Address, parse_address
from limbo.domain.mail.mail import Mail, parse_mail
from limbo.domain.mail.text import header_problem

HEADERS = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
]


def mail_of(**fields) -> Mail:
    document = {"from": "ann@a.example", "to": ["bob@b.example"], "subject": "s", "message": "m"}
    return parse_mail(document | fields, id="0190-1", submitted_at=1700000000.25)


def read(mail: Mail, **options):
    """Read the message back with both of Python's readers, which must agree on its headers."""
    raw = message_bytes(mail, **options)
    modern = email.message_from_bytes(raw, policy=email.policy.default)
    legacy = email.message_from_bytes(raw, policy=email.policy.compat32)
    assert modern.keys() == legacy.keys()
    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    return modern, legacy


def decoded(value: str) -> str:
    return str(make_header(decode_header("".join(value.splitlines()))))


def sorted_headers(*more: str) -> list[str]:
    return sorted([*HEADERS, *more])


WORDS = st.sampled_from(
    [
        *(
            "=?",
            "?=",
            "=?utf-8?q?",
            "=?utf-8?b?",
            "?q?",
            "=?x?y?",
            "=0d=0aBcc:_x@y.example",
            "DQo=",
        ),
        *(
            " ",
            "  ",
            ",",
            ";",
            '"',
            "\\",
            "<",
            ">",
            "(",
            "@",
            ".",
            "x" * 60,
            "x" * 9,
            "ü",
            "\u00a0",
        ),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.one_of(WORDS, st.text(max_size=5)), max_size=30).map("".join),
).filter(lambda text: header_problem(text) is None)


@settings(deadline=None)
@given(TEXTS.filter(lambda text: 0 < len(text) <= 998))
def test_no_subject_adds_or_changes_a_header(subject):
    mail = mail_of(subject=subject, cc="carol@c.example")
    modern, legacy = read(mail)
    assert sorted(modern.keys()) == sorted_headers()
    assert decoded(legacy["Subject"]) == subject
    assert modern["Subject"] == subject
    assert legacy["From"] == "ann@a.example"
    assert legacy["To"] == "bob@b.example"


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_no_name_adds_or_changes_a_header(name, other):
    names = [" ".join(text.split()) for text in (name, other)]
    one, two = (Address(f"{i}@x.example", name) for i, name in enumerate(names))
    mail = mail_of(to=["first@a.example", str(one), str(two)], cc=str(one).replace("0@", "2@"))
    assert mail.to[1:] == (one, two)
    mail_from = mail_of(**{"from": str(one)})
    modern, legacy = read(mail)
    assert sorted(modern.keys()) == sorted_headers()
    parsed = getaddresses([legacy["To"]])
    assert [(decoded(name), address) for name, address in parsed] == [
        ("", "first@a.example"),
        (one.name, one.email),
        (two.name, two.email),
    ]
    modern, _ = read(mail_from)
    assert sorted(modern.keys()) == sorted(set(HEADERS) - {"Cc"})


@settings(deadline=None)
@given(st.from_regex(r"[a-zA-Z0-9=?_.+-]{1,50}", fullmatch=True))
def test_no_address_adds_a_header(local):
    try:
        mail = mail_of(to=[f"{local}@b.example"], cc=[f"=?utf-8?q?{local}?=@c.example"])
    except InvalidMail:
        return
    modern, legacy = read(mail)
    assert sorted(modern.keys()) == sorted_headers()
    assert legacy["To"] == mail.to[0].email


@settings(deadline=None)
@given(
    st.one_of(
        st.text(min_size=1, max_size=300),
        st.lists(st.sampled_from(["x" * 1200, "é", "\r\n", "\n", ".", "From ", " ", "\t", "="]))
        .map("".join)
        .filter(bool),
    )
)
def test_a_body_arrives_as_it_was_but_for_its_line_ends(text):
    try:
        mail = mail_of(message=text)
    except InvalidMail:
        return
    modern, _ = read(mail)
    got = modern.get_content().replace("\r\n", "\n")
    expected = re.sub("\r\n|\r", "\n", text)
    assert got == (expected if expected.endswith("\n") else expected + "\n")


def test_blind_copies_are_in_no_header():
    raw = message_bytes(mail_of(bcc=["dave@d.example"]))
    assert b"dave" not in raw
    assert b"bcc" not in raw.lower()


def test_names_the_mail_and_the_time_it_was_submitted():
    modern, _ = read(mail_of())
    assert modern["Message-ID"] == "<0190-1@a.example>" == message_id(mail_of())
    assert modern["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"


def test_with_a_source_replies_go_to_the_mails_own_from():
    modern, _ = read(
        mail_of(**{"from": "Änn <ann@a.example>"}), source=parse_address("Shop <shop@s.example>")
    )
    assert modern["From"] == "Shop <shop@s.example>"
    assert modern["Reply-To"] == "Änn <ann@a.example>"


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        ("plain", b"Subject: plain\r\n"),
        ("a b " * 30 + "c", b"Subject: " + b"a b " * 16 + b"a b\r\n " + b"a b " * 13 + b"c\r\n"),
        ("x" * 64 + " y", b"Subject: " + b"x" * 64 + b" y\r\n"),
        ("x" * 64 + " abc", b"Subject: " + b"x" * 64 + b"\r\n abc\r\n"),
        ("Grüße", b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"),
        ("is =? odd", b"Subject: =?utf-8?b?aXMgPT8gb2Rk?=\r\n"),
        ("two  blanks", b"Subject: =?utf-8?q?two__blanks?=\r\n"),
    ],
)
def test_a_subject_is_encoded_only_where_it_must_be(subject, line):
    assert line in message_bytes(mail_of(subject=subject))


@pytest.mark.parametrize(
    ("to", "line"),
    [
        ("Bob B <bob@b.example>", b"To: Bob B <bob@b.example>\r\n"),
        ('"B., Bob" <bob@b.example>', b'To: "B., Bob" <bob@b.example>\r\n'),
        ("Bób <bob@b.example>", b"To: =?utf-8?q?B=C3=B3b?= <bob@b.example>\r\n"),
        (["bob@b.example", "al@a.example"], b"To: bob@b.example,\r\n al@a.example\r\n"),
    ],
)
def test_a_mailbox_is_quoted_or_encoded_only_where_it_must_be(to, line):
    assert line in message_bytes(mail_of(to=to))
