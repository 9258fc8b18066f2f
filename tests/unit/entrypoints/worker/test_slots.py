"""How many mails a worker receives at once, and when it receives none."""

import threading

import pytest

from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.providers.fake.sender import FakeScript, FakeSender, parse_script
from limbo.domain.delivery.dispatch import Dispatcher
from limbo.entrypoints.worker.leases import HeldLeases
from limbo.entrypoints.worker.slots import Slots
from limbo.ports.queue import Lease
from tests.support.clock import Clock, FastClock
from tests.support.mails import a_mail
from tests.support.working import until


class Room:
    """Slots and all that decides about them."""

    def __init__(self, clock, *, count=10, batch=1, script=""):
        sender = FakeSender("fake", FakeScript(parse_script(script)))
        self.dispatcher = Dispatcher([sender], now=clock.now)
        self.held = HeldLeases(MemoryQueue(now=clock.now), lease_seconds=60, clock=clock)
        self.slots = Slots(
            count, batch=batch, dispatcher=self.dispatcher, held=self.held, clock=clock
        )


def test_there_is_room_for_a_mail_in_each_slot():
    slots = Room(Clock()).slots
    assert slots.room() == 10
    slots.take(7)
    assert slots.room() == 3
    slots.give_back()
    assert slots.room() == 4


def test_who_finds_no_room_waits_for_a_slot():
    clock = Clock()
    slots = Room(clock, count=1).slots
    slots.take(1)
    found = []
    thread = threading.Thread(target=lambda: found.append(slots.room()))
    thread.start()
    until(lambda: clock.is_waited_for(1))
    slots.give_back()
    thread.join(30)
    assert found == [1]


@pytest.mark.parametrize(("held", "room"), [(5, 10), (10, 10), (15, 5), (19, 1)])
def test_what_is_sent_and_not_settled_takes_room_as_well(held, room):
    made = Room(Clock())
    for number in range(held):
        made.held.add(Lease(mail=a_mail(), receipt=str(number)), 0.0)
    assert made.slots.room() == room


def test_while_the_provider_is_down_there_is_room_for_its_probe_alone():
    clock = Clock()
    made = Room(clock, script="account*9")
    made.dispatcher.dispatch(a_mail(), 0)
    clock.elapse(300)
    assert made.slots.room() == 1


@pytest.mark.parametrize(("taken", "room"), [(0, 20), (3, 10), (10, 10), (12, 8)])
def test_room_is_for_whole_calls_if_it_fills_one(taken, room):
    slots = Room(FastClock(100), count=20, batch=10).slots
    slots.take(taken)
    assert slots.room() == room


def test_a_closed_worker_has_no_room_and_makes_no_pause():
    slots = Room(Clock()).slots
    slots.close(25)
    assert slots.is_closed
    assert slots.room() is None
    slots.pause(1e9)


def test_a_second_close_gives_no_more_time():
    clock = Clock()
    slots = Room(clock).slots
    slots.close(25)
    clock.elapse(10)
    slots.close(25)
    assert slots.deadline == clock.now() + 15


def test_a_drain_ends_with_the_last_slot_or_at_the_deadline():
    clock = Clock()
    slots = Room(clock).slots
    slots.take(2)
    slots.close(25)
    left = []
    thread = threading.Thread(target=lambda: left.append(slots.drain()))
    thread.start()
    slots.give_back()
    until(lambda: clock.is_waited_for(25))
    clock.elapse(25)
    thread.join(30)
    assert left == [1]
    slots.give_back()
    assert slots.drain() == 0
