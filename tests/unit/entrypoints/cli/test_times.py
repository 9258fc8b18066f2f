import datetime as dt

import pytest

from limbo.entrypoints.cli.times import local_time


def test_a_time_is_shown_in_this_zone_with_its_offset():
    shown = local_time(1_700_000_000.25)
    assert dt.datetime.fromisoformat(shown).timestamp() == 1_700_000_000
    assert shown[-6] in "+-"


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300])
def test_what_is_no_time_is_a_question_mark(seconds):
    assert local_time(seconds) == "?"
