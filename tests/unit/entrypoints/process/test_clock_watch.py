"""A step of the wall clock is noticed, and logged once."""

import threading

import pytest

from limbo.entrypoints.process.clock_watch import ClockWatch
from tests.support.clock import Clock
from tests.support.working import until


@pytest.mark.parametrize("step", [3600, -3600, 1.5])
def test_a_step_is_logged_once(capsys, step):
    clock, wall = Clock(), Clock()
    watch = ClockWatch(clock, wall.now)
    for seconds in (0, step, 0, 0):
        clock.elapse(5)
        wall.elapse(5 + seconds)
        watch.look()
    said = capsys.readouterr().out
    assert said.count("clock stepped") == 1
    assert f"seconds={step}" in said.replace(".0", "")


def test_a_clock_that_is_slewed_is_not_logged(capsys):
    clock, wall = Clock(), Clock()
    watch = ClockWatch(clock, wall.now)
    for _ in range(1000):
        clock.elapse(5)
        wall.elapse(5.01)
        watch.look()
    assert "clock stepped" not in capsys.readouterr().out


def test_it_looks_every_few_seconds_until_it_is_stopped(capsys):
    clock, wall = Clock(), Clock()
    watch = ClockWatch(clock, wall.now)
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    until(lambda: clock.is_waited_for(5))
    wall.elapse(60)
    clock.elapse(5)
    until(lambda: clock.is_waited_for(5))
    watch.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert "clock stepped" in capsys.readouterr().out
