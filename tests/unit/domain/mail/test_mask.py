import re
import sys
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limbo.domain.mail.mask import mask_words
from limbo.domain.mail.text import redact

HUGE = 1_000_000


@pytest.mark.parametrize(
    ("text", "words", "masked"),
    [
        ("no top SECRET here", ["Top Secret"], "no … here"),
        ("abcabc", ["abc"], "……"),
        ("xabcdx", ["abc", "bcd"], "x…x"),
        ("xabcx", ["b", "abc"], "x…x"),
        ("STRASSE, straße", ["straße"], "…, …"),
        ("ISTANBUL İstanbul \u0131stanbul", ["istanbul"], "… … …"),
        ("ΟΔΟΣ", ["οδος"], "…"),
        ("a.c abc", ["a.c"], "… abc"),
        ("short", ["longer than that"], "short"),
        ("a word", ["", "\u0307"], "a word"),
        ("", ["a"], ""),
    ],
)
def test_words_are_masked_in_whatever_case(text, words, masked):
    assert mask_words(text, words) == masked


@given(st.text(), st.lists(st.text(min_size=1), max_size=4))
@example("a\u017f", ["AS"])
def test_no_masked_word_is_left(text, words):
    masked = mask_words(text, words)
    for word in words:
        if word != "…" and not word.startswith("…") and not word.endswith("…"):
            assert all(word not in piece for piece in masked.split("…"))


def test_letters_that_a_regular_expression_takes_for_one_are_masked_as_one():
    cased = [c for c in map(chr, range(sys.maxunicode + 1)) if c.lower() != c or c.upper() != c]
    every = "".join(cased)
    for letter in cased:
        for alike in re.findall(re.escape(letter), every, re.IGNORECASE):
            assert mask_words(alike, [letter]) == "…"


@pytest.mark.parametrize(
    "word",
    [
        "Your  secret   order",
        "Number\t4711",
        " 4711 for  erna@a.example ",
        "for <erna@a.example>, secretly",
        "\u200eConfi\u202edential",
        "A long line, " * 40,
    ],
)
def test_a_word_is_masked_in_the_form_that_a_reason_has(word):
    assert mask_words(redact(f"550 no: {word}"), [word]).strip("…") == "550 no: "


@pytest.mark.parametrize("begun", range(4, 20))
def test_a_word_that_the_end_cuts_off_is_masked(begun):
    reason = redact("x" * (299 - begun) + "Top secret, and more of it")
    assert mask_words(reason, ["top Secret, and more of it"]) == "x" * (299 - begun) + "……"


def test_an_address_that_is_masked_already_stays_so():
    assert mask_words("no <address> here", ["erna@a.example"]) == "no <address> here"


def test_a_mail_of_megabytes_is_masked_at_once_and_nothing_of_it_is_kept():
    re.purge()
    words = ["x" * HUGE, *(f"line {number} " * 20 for number in range(1000))]
    started = time.thread_time()
    assert mask_words("refused: " + words[7], words) == "refused: …"
    assert time.thread_time() - started < 2


def test_a_mail_of_a_megabyte_costs_a_few_milliseconds():
    lines = [f"{number} is a line of a mail. ".ljust(990, "x") for number in range(1000)]
    reason = redact("550 5.7.1 refused: it looks like what nobody wants. " * 8)
    started = time.thread_time()
    for _ in range(20):
        assert mask_words(reason, lines) == reason
    assert time.thread_time() - started < 0.4  # each line in all its forms would be 1.3 s


@pytest.mark.parametrize("end", ["ab c", "a  b c d", "to <addr"])
def test_a_cut_end_is_found_with_all_its_white_space(end):
    text = f"no: {end}…"
    assert mask_words(text, [f"{end} and so on".replace("<addr", "ann@a.example")]) == "no: ……"
