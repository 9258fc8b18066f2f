"""Ids are UUIDs of version 7 and sort by time."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbo.domain.mail.ids import canonical_id, is_mail_id, mail_id

times = st.floats(0, 253402300799)


@given(times, st.binary(min_size=8, max_size=8))
def test_an_id_is_a_uuid_of_version_7(now, entropy):
    parsed = uuid.UUID(mail_id(now, entropy))
    assert str(parsed) == mail_id(now, entropy)
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 80 == int(now * 1000)


@given(times, times)
def test_ids_sort_by_the_millisecond(one, other):
    first, second = sorted([one, other])
    if int(first * 1000) < int(second * 1000):
        assert mail_id(first) < mail_id(second)


@given(st.integers(1_700_000_000_000_000, 1_900_000_000_000_000))
def test_ids_sort_by_the_microsecond(microseconds):
    assert mail_id(microseconds / 1e6) < mail_id((microseconds + 1) / 1e6)


def test_ids_of_one_instant_differ():
    assert len({mail_id(1.0) for _ in range(1000)}) == 1000


def test_the_entropy_fills_all_that_is_left():
    assert mail_id(0, b"\xff" * 8) == "00000000-0000-7000-bfff-ffffffffffff"
    assert mail_id(0.0005, bytes(8)) == "00000000-0000-7800-8000-000000000000"


@pytest.mark.parametrize(
    "text", [mail_id(0, bytes(8)), mail_id(1e9, bytes(8)), "x", "-", "_", "A9" * 32]
)
def test_what_can_be_an_id_is_one(text):
    assert is_mail_id(text)


@pytest.mark.parametrize(
    "text", ["", "a" * 65, "a b", "a\n", "é", "٣", "a/b", ".", "\x00", "\ud800"]
)
def test_what_cannot_be_an_id_is_none(text):
    assert not is_mail_id(text)


def test_a_uuid_may_come_in_upper_case_and_another_id_stays_as_it_is():
    id_ = mail_id(1_700_000_000.25)
    assert canonical_id(id_.upper()) == canonical_id(id_) == id_
    for text in ("Shop-4711", "", f"{id_}A"):
        assert canonical_id(text) == text
