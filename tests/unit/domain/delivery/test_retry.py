"""How long a mail rests between two touches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbo.domain.delivery.retry import MAX_RETRY_AFTER, RetryPolicy
from limbo.domain.delivery.verdict import Accepted, Attempt, Failed, Fault
from tests.strategies import verdicts


@pytest.mark.parametrize(
    ("touch", "asked", "pause"),
    [
        (1, [], 30),
        (2, [], 300),
        (9, [], 300),
        (1, [None], 30),
        (1, [100], 100),
        (1, [10], 30),
        (1, [100, 200], 100),
        (1, [100, None], 30),
        (2, [100, 200], 300),
        (1, [1e9], 300),
        (1, [1e9, 1e8], 300),
    ],
)
def test_the_pause_grows_and_a_retry_after_counts_if_all_ask_longer(touch, asked, pause):
    attempts = [
        Attempt(sender="a", started_at=0, duration=0, verdict=Failed(Fault.OUTAGE, "", seconds))
        for seconds in asked
    ]
    assert RetryPolicy().delay(touch, attempts, jitter=1.0) == pause


def test_an_acceptance_asks_for_no_pause():
    attempt = Attempt(sender="a", started_at=0, duration=0, verdict=Accepted())
    assert RetryPolicy().delay(1, [attempt], jitter=0.5) == 15


@given(st.integers(1, 100), st.lists(verdicts, max_size=4), st.floats(0.5, 1.0))
def test_no_pause_is_longer_than_a_queue_can_hide_a_mail(touch, said, jitter):
    attempts = [Attempt(sender="a", started_at=0, duration=0, verdict=v) for v in said]
    assert 0 < RetryPolicy().delay(touch, attempts, jitter) <= MAX_RETRY_AFTER
