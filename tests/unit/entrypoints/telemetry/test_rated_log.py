import time

import pytest
from structlog.testing import capture_logs

from limbo.entrypoints.telemetry.rated_log import RatedLog


class Windows:
    """Ends a window when it is told to."""

    def __init__(self):
        self._calls = []

    def __call__(self, seconds, call):
        self._calls.append((seconds, call))

    @property
    def open(self):
        return [seconds for seconds, _ in self._calls]

    def end(self):
        ((_, call),) = self._calls
        self._calls.clear()
        call()


@pytest.fixture
def windows():
    return Windows()


def line(event, **fields):
    return {"event": event, "log_level": "warning", **fields}


def test_the_first_is_logged_at_once_and_the_others_are_counted(windows):
    rated = RatedLog(seconds=10.0, later=windows)
    with capture_logs() as lines:
        for n in range(10_000):
            rated.warning("refused", n=n)
        assert lines == [line("refused", n=0)]
        assert windows.open == [10.0]
        windows.end()
    assert lines[1:] == [line("refused", n=9_999, suppressed=9_999)]


def test_what_goes_on_is_one_line_a_window(windows):
    rated = RatedLog(later=windows)
    with capture_logs() as lines:
        rated.warning("refused")
        for _ in range(3):
            rated.warning("refused")
            rated.warning("refused")
            windows.end()
    assert [each.get("suppressed") for each in lines] == [None, 2, 2, 2]


def test_what_has_ceased_is_forgotten_and_the_next_is_logged_at_once(windows):
    rated = RatedLog(later=windows)
    with capture_logs() as lines:
        rated.warning("refused")
        windows.end()
        assert windows.open == []
        rated.warning("refused")
    assert lines == [line("refused")] * 2


def test_each_key_has_a_line_of_its_own(windows):
    rated = RatedLog(later=windows)
    with capture_logs() as lines:
        for peer in ("a", "b", "a"):
            rated.warning("refused", key=peer, peer=peer)
        rated.warning("throttled", key="a")
        windows.end()
    assert lines == [
        line("refused", peer="a"),
        line("refused", peer="b"),
        line("throttled"),
        line("refused", peer="a", suppressed=1),
    ]


def test_many_keys_share_one_line(windows):
    rated = RatedLog(most=3, later=windows)
    with capture_logs() as lines:
        for peer in range(1000):
            rated.warning("refused", key=peer, peer=peer)
        windows.end()
    assert [each["peer"] for each in lines] == [0, 1, 2, 3, 999]
    assert lines[-1]["suppressed"] == 996


def test_a_window_ends_by_itself():
    rated, until = RatedLog(seconds=0.01), time.monotonic() + 30
    with capture_logs() as lines:
        while not any("suppressed" in each for each in lines) and time.monotonic() < until:
            rated.warning("refused")
    assert any("suppressed" in each for each in lines)
