"""A verdict never carries an address, nor a pause that is none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbo.domain.delivery.verdict import Accepted, Cause, Failed, Fault
from tests.strategies import emails


@given(st.sampled_from(Fault), emails)
def test_a_reason_masks_every_address(fault, email):
    assert Failed(fault, f"550 <{email}>:\r\n unknown").reason == "550 <<address>>: unknown"


@pytest.mark.parametrize("seconds", [0, 0.5, 3600, 1e9])
def test_a_pause_is_kept(seconds):
    assert Failed(Fault.RATE, "", seconds).retry_after == seconds


@pytest.mark.parametrize("seconds", [None, -1, -math.inf, math.inf, math.nan])
def test_what_is_no_pause_is_dropped(seconds):
    assert Failed(Fault.RATE, "", seconds).retry_after is None


@pytest.mark.parametrize(
    ("answered", "kept"),
    [
        ("<2021.1@mailgun.org>", "<2021.1@mailgun.org>"),
        ("a\r\nb\ud800", "a b"),
        ("a" * 1000, "a" * 299 + "…"),
    ],
)
def test_the_id_of_a_provider_is_one_clean_line(answered, kept):
    assert Accepted(answered).provider_id == kept


def test_verdicts_are_values():
    assert Failed(Fault.MAIL, "a@b.c") == Failed(Fault.MAIL, "<address>")
    assert hash(Accepted("a\n")) == hash(Accepted("a"))


def test_a_cause_has_one_short_id_whoever_computes_it():
    cause = Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="401 Forbidden")
    assert cause.id == Cause(kind="account", sender="mailgun", reason="401 Forbidden").id
    assert cause.id == "38253ac7"
    assert Cause(kind="a", sender="bc", reason="").id != Cause(kind="ab", sender="c", reason="").id


@pytest.mark.parametrize("name", ["account", "38253ac7"])
def test_a_cause_is_called_by_its_kind_or_its_id(name):
    assert Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="401 Forbidden").matches(name)


@pytest.mark.parametrize("name", ["", "mailgun", "401 Forbidden", "38253ac", "mail"])
def test_a_cause_is_called_by_nothing_else(name):
    assert not Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="401 Forbidden").matches(name)


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        ("503 busy, request 4711", "503 busy, request 4712", True),
        ("503 busy (id=0a1b-9c)", "503 busy (id=77ff-0e)", True),
        ("no <018bcfe5-68fa-7000>: gone", "no <018bcfe5-68fa-7abc>: gone", True),
        ("id deadbeef of you", "id 0badcafe of you", True),
        ("at 12:30:05 too late", "at 1:02:03 too late", True),
        ("401 Forbidden", "403 Forbidden", False),
        ("550 5.7.1 no", "550 5.1.1 no", False),
        ("503 busy", "503 too busy", False),
        ("503 busy 1", "503 busy", False),
    ],
)
def test_numbers_and_ids_do_not_make_two_causes_of_one(one, other, is_one):
    first, second = (Cause(kind="outage", sender="ses", reason=text) for text in (one, other))
    assert (first.id == second.id) is is_one
    assert first.reason == one
