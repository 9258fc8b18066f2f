"""What the outcomes of others say about a mail, figure by figure."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbo.domain.delivery.evidence import LIMIT, NO_EVIDENCE, Evidence, TrackRecord, counts


def record(outcomes: str, *, senders: str = "a", weight: float = 1.0) -> TrackRecord:
    """Return a record of one mail after another at each sender: ``.`` taken, ``x`` failed."""
    made = TrackRecord(senders)
    for number, letter in enumerate(outcomes):
        for sender in senders:
            made.note_call(sender, f"m{number}", failed=letter == "x", weight=weight, at=0)
        made.note_touch(f"m{number}", failed=letter == "x", weight=weight, at=0)
    return made


def likelihood(made: TrackRecord, mail_id: str = "it", senders: str = "a", now: float = 0) -> float:
    return math.exp(made.log_likelihood(mail_id, senders, now))


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ("", 1.0),
        ("x" * 50, 1.0),
        (".", 1 / 2),
        ("." * 50, 1 / 51),
        ("." * 50 + "x", (1 + 1 + 4 * math.sqrt(50 / 51)) / 52),
        (".x" * 50, (50 + 1 + 4 * 5) / 101),
    ],
)
def test_the_chance_of_one_more_failure_is_told_cautiously(outcomes, expected):
    assert likelihood(record(outcomes)) == pytest.approx(expected)


def test_three_touches_among_fifty_healthy_calls_are_enough_and_two_are_not():
    one = math.log(1 / 51)
    assert 2 * one > LIMIT >= 3 * one
    assert not Evidence(log_likelihood=2 * one).is_enough
    assert Evidence(log_likelihood=3 * one).is_enough


def test_a_mail_does_not_excuse_itself():
    made = record("." * 50)
    for _ in range(20):
        made.note_call("a", "it", failed=True, weight=1, at=0)
        made.note_touch("it", failed=True, weight=1, at=0)
    assert likelihood(made) == pytest.approx(1 / 51)
    assert likelihood(made, "another") > 0.4


def test_suspects_excuse_a_mail_by_their_weight():
    made = record("." * 50)
    for number in range(100):
        made.note_call("a", f"s{number}", failed=True, weight=0.01, at=0)
        made.note_touch(f"s{number}", failed=True, weight=0.01, at=0)
    assert likelihood(made) == pytest.approx((1 + 1 + 4 * math.sqrt(50 / 51)) / 52, rel=1e-6)


def test_failures_at_two_providers_multiply_unless_they_come_together():
    made = TrackRecord("ab")
    for number in range(100):
        for sender, failed in (("a", number % 2 == 0), ("b", number % 4 == 1)):
            made.note_call(sender, f"m{number}", failed=failed, weight=1, at=0)
        made.note_touch(f"m{number}", failed=False, weight=1, at=0)
    apart = (51 + 4 * 5) / 101 * (26 + 4 * math.sqrt(18.75)) / 101
    assert likelihood(made, senders="ab") == pytest.approx(apart)
    together = record(".x" * 50, senders="ab")
    assert likelihood(together, senders="ab") == pytest.approx((51 + 20) / 101)


@pytest.mark.parametrize(("now", "expected"), [(150, 1 / 51), (150.5, 1.0)])
def test_what_was_long_ago_says_nothing(now, expected):
    assert likelihood(record("." * 50), now=now) == pytest.approx(expected)


def test_what_was_many_calls_ago_says_nothing():
    assert likelihood(record("x" * 1000 + "." * 1000)) == pytest.approx(1 / 1001)


@pytest.mark.parametrize(
    ("log_likelihood", "it_counts"), [(0.0, False), (-0.69, False), (-0.7, True)]
)
def test_a_touch_counts_that_a_coin_would_not_explain(log_likelihood, it_counts):
    assert counts(log_likelihood) is it_counts
    assert Evidence(log_likelihood=log_likelihood).is_suspect is it_counts


def test_nothing_is_against_a_new_mail():
    assert NO_EVIDENCE.weight == 1.0
    assert not NO_EVIDENCE.is_suspect
    assert not NO_EVIDENCE.is_enough


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.sampled_from([1.0, 0.5, 1e-3, 1e-12]))),
    st.integers(0, 9),
)
def test_the_sums_are_those_of_the_outcomes(outcomes, number):
    made = TrackRecord("a")
    for at, (mail, failed, weight) in enumerate(outcomes):
        made.note_call("a", str(mail), failed=failed, weight=weight, at=10.0 * at)
        made.note_touch("never", failed=False, weight=0.0, at=10.0 * at)
    now = 10.0 * len(outcomes)
    others = [
        (failed, Fraction(weight))
        for at, (mail, failed, weight) in enumerate(outcomes)
        if mail != number and 10 * at >= now - 150
    ]
    seen = sum(weight for _, weight in others)
    failed = sum(weight for is_failed, weight in others if is_failed)
    spread = math.sqrt(failed * (1 - failed / seen)) if seen else 0.0
    expected = min(1.0, float((failed + 1 + 4 * spread) / (seen + 1)))
    made.note_touch("failed", failed=True, weight=1e-15, at=now)
    told = likelihood(made, str(number), now=now)
    assert told >= expected - 1e-6
