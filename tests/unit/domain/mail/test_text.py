"""Text from outside stays fit for headers, logs and errors."""

import sys
import time
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limbo.domain.mail.text import (
    _ENCODED_WORD,
    _UNSAFE_IN_BODY,
    _UNSAFE_IN_HEADER,
    body_problem,
    escape_controls,
    header_problem,
    one_line,
    redact,
)
from tests.strategies import emails

CONTROL = [*range(0x20), *range(0x7F, 0xA0)]
SEPARATORS = [0x2028, 0x2029]
DIRECTIONS = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
UNSENDABLE = [0xD800, 0xDC00, 0xDFFF, 0xFFFE, 0xFFFF]
LINE_CHARACTERS = [0x09, 0x0A, 0x0D]
HUGE = 1_000_000


@pytest.mark.parametrize("code", [*CONTROL, *SEPARATORS, *DIRECTIONS, *UNSENDABLE])
def test_a_header_holds_no_control_character(code):
    problem = header_problem(f"ab{chr(code)}c")
    assert problem == f"holds a forbidden character (U+{code:04X}) at position 2"


@pytest.mark.parametrize("code", [*(set(CONTROL) - set(LINE_CHARACTERS)), *UNSENDABLE])
def test_a_body_holds_no_control_character_but_tabs_and_line_ends(code):
    problem = body_problem(f"ab{chr(code)}c")
    assert problem == f"holds a forbidden character (U+{code:04X}) at position 2"


any_text = st.text(st.characters(codec=None)) | st.text(st.sampled_from("=?uq\t\r\n\v\x85 é\u2028"))


@given(any_text)
def test_the_short_cuts_through_a_text_overlook_nothing(text):
    unsafe = _UNSAFE_IN_HEADER.search(text) or _ENCODED_WORD.search(text)
    assert (header_problem(text) is None) is (unsafe is None)
    assert (body_problem(text) is None) is (_UNSAFE_IN_BODY.search(text) is None)


def test_no_character_that_a_text_may_not_hold_is_printable():
    unsafe = [c for c in map(chr, range(sys.maxunicode + 1)) if _UNSAFE_IN_HEADER.match(c)]
    assert not [c for c in unsafe if c.isprintable()]
    assert all(_UNSAFE_IN_HEADER.match(c) for c in map(chr, CONTROL))


@pytest.mark.parametrize("code", [*LINE_CHARACTERS, *SEPARATORS, 0xA0, 0x1F600])
def test_a_body_holds_lines_and_any_script(code):
    assert body_problem(f"ab{chr(code)}c") is None


@pytest.mark.parametrize(
    "text", ["", " ", "a=b?", "=?", "?=", "=?=", "Grüße 😀 مرحبا", "=?a?x?b?="]
)
def test_a_header_holds_any_other_text(text):
    assert header_problem(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "=?utf-8?q?a=0d=0aBcc:_x@y.z?=",
        "=?UTF-8?Q?a?=",
        "=?utf-8?B?YQ==?=",
        "Re: =?utf-8?q?a?= b",
        "Re:=?utf-8?q?a?=",
        "=?utf-8*en?q?a?=",
        "=?utf-8?q?a b?=",
        "=?utf 8?q?a?=",
        "=??q?a?=",
        "=?=?utf-8?q?a?=",
        "=?utf-8?q?=0aBcc:_x@y.z",  # decoded without its end by Python before 3.11.10
        "a =?utf-8?q?=0d=0aBcc:_x@y.z",
        "=?utf-8?q??=",
    ],
)
def test_a_header_holds_no_encoded_word(text):
    assert "encoded word" in (header_problem(text) or "")


encoded_word_pieces = st.sampled_from(
    [
        "=?",
        "?=",
        "?",
        "=",
        "utf-8",
        "q",
        "Q",
        "b",
        "=0a",
        "=0d=0a",
        "Cg==",
        "Bcc:_x@y.z",
        " ",
        "*en",
    ]
)


@given(st.lists(encoded_word_pieces, max_size=12).map("".join))
@example("=?utf-8?q?=0aBcc:_x@y.z")
def test_what_passes_is_one_header_line_for_the_standard_library(text):
    if header_problem(text) is None:
        message = EmailMessage()
        message["Subject"] = text
        assert message["Subject"] == text
        assert [name for name, _ in message.raw_items()] == ["Subject"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("550 <john@example.org>: no", "550 <<address>>: no"),
        ("no such user john@example.org.", "no such user <address>"),
        ("to=john@example.org", "<address>"),
        ("o'brien+tag@münchen.de is unknown", "<address> is unknown"),
        ('"john doe"@example.org', "<address>"),
        ("john@[IPv6:::1] refused", "<address> refused"),
        ("john@a.b: refused", "<address>: refused"),
        ("a@b.c,d@e.f;g@h.i", "<address>,<address>;<address>"),
        ("a \r\n b\x00\tc\u2028d\ud800", "a b c d"),
        ("no @ here", "no @ here"),
        ("", ""),
    ],
)
def test_a_reason_is_one_line_without_addresses(text, line):
    assert redact(text) == line


@given(st.text("ab <>:'\",", max_size=10), emails, st.text(" <>:'\",;", min_size=1, max_size=10))
def test_an_address_never_survives_redaction(before, email, after):
    local, domain = email.split("@")
    text = redact(f"{before} {email}{after}")
    assert email not in text
    assert f"{local}@" not in text
    assert f"@{domain}" not in text


@given(st.text() | st.text('a@".<>\\[] \n', max_size=12))
def test_redaction_is_stable_and_short(text):
    once = redact(text)
    assert redact(once) == once
    assert len(once) <= 300
    assert header_problem(once) is None or "encoded" in str(header_problem(once))


def test_a_long_line_is_cut_with_an_ellipsis():
    assert one_line("a" * 301) == "a" * 299 + "…"
    assert one_line("a" * 300) == "a" * 300


@pytest.mark.parametrize("check", [header_problem, body_problem, one_line, redact])
@pytest.mark.parametrize(
    "piece", ["a", "@", "a@", '"', '"a', "=?", "=?q?", "=?a", "=?a?q", " ", "\\", "<"]
)
def test_a_megabyte_is_read_in_linear_time(check, piece):
    started = time.thread_time()
    check(piece * (HUGE // len(piece)))
    assert time.thread_time() - started < 10  # quadratic time would be minutes


def test_what_controls_a_terminal_is_escaped_and_lines_stay():
    text = "a\tb\nc\rd\x1b[2J\u202ee\u2028\xa0😀\u200d😀"
    assert escape_controls(text) == "a\tb\nc\\rd\\x1b[2J\\u202ee\\u2028\xa0😀\u200d😀"
