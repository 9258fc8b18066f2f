import asyncio
import dataclasses
import threading
import time

import pytest

from limbo.domain.errors import LedgerUnavailable
from limbo.entrypoints.http.body import ClientGone
from limbo.entrypoints.http.offload import Offload, Overloaded
from limbo.entrypoints.http.waits import Waits
from limbo.ports.ledger import Record, Status

QUEUED = Record(
    id="x",
    client="c",
    status=Status.QUEUED,
    submitted_at=1.0,
    updated_at=1.0,
    from_="a@example.com",
    to=["b@example.org"],
    subject="s",
    mail=None,
)
SENT = dataclasses.replace(QUEUED, status=Status.SENT)


class Looks:
    """Sees the records one after the other, the last for ever."""

    def __init__(self, *records):
        self.records = [*records]
        self.count = 0

    async def __call__(self):
        self.count += 1
        record = self.records.pop(0) if len(self.records) > 1 else self.records[0]
        if isinstance(record, Exception):
            raise record
        return record


async def stays():
    await asyncio.Event().wait()


def leaves_after(seconds):
    messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": b""}]

    async def receive():
        message = messages.pop()
        if not messages:
            await asyncio.sleep(seconds)
        return message

    return receive


def wait(looks, seconds, *, receive=stays, waits=None):
    async def run():
        started = time.monotonic()
        held = waits or Waits(pause=0.02)
        record = await held.settled(looks, receive, seconds)
        return record, time.monotonic() - started

    return asyncio.run(run())


@pytest.mark.parametrize("record", [SENT, None])
def test_what_is_settled_or_unknown_is_answered_at_once(record):
    found, seconds = wait(Looks(record), 30)
    assert found is record
    assert seconds < 0.5


def test_what_gets_settled_is_answered_then():
    looks = Looks(QUEUED, QUEUED, QUEUED, SENT)
    assert wait(looks, 30)[0] is SENT
    assert looks.count == 4


def test_what_does_not_is_answered_in_time():
    looks = Looks(QUEUED)
    record, seconds = wait(looks, 0.15)
    assert record is QUEUED
    assert 0.14 < seconds < 1
    assert 3 < looks.count < 12


def test_without_a_wait_there_is_one_look():
    looks = Looks(QUEUED)
    assert wait(looks, 0)[0] is QUEUED
    assert looks.count == 1


def test_an_entry_that_is_purged_meanwhile_is_not_found():
    assert wait(Looks(QUEUED, None), 30)[0] is None


def test_a_ledger_that_fails_ends_the_wait():
    with pytest.raises(LedgerUnavailable):
        wait(Looks(QUEUED, LedgerUnavailable()), 30)


def test_a_client_that_goes_away_frees_its_place():
    async def run():
        waits = Waits(most=1, pause=5)
        with pytest.raises(ClientGone):
            await waits.settled(Looks(QUEUED), leaves_after(0.05), 30)
        task = asyncio.create_task(waits.settled(Looks(QUEUED), stays, 30))
        await asyncio.sleep(0.02)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await waits.settled(Looks(QUEUED), stays, 0.01) is QUEUED

    started = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - started < 2


def test_so_many_wait_and_no_more():
    async def run():
        waits = Waits(most=2, pause=0.02)
        tasks = [asyncio.create_task(waits.settled(Looks(QUEUED), stays, 0.3)) for _ in range(2)]
        await asyncio.sleep(0.05)
        started = time.monotonic()
        assert await waits.settled(Looks(QUEUED), stays, 30) is QUEUED
        assert time.monotonic() - started < 0.2
        assert await asyncio.gather(*tasks) == [QUEUED, QUEUED]

    asyncio.run(run())


def test_a_stop_answers_all_that_wait_and_lets_none_wait_any_more():
    async def run():
        waits = Waits(pause=5)
        tasks = [asyncio.create_task(waits.settled(Looks(QUEUED), stays, 30)) for _ in range(5)]
        await asyncio.sleep(0.02)
        waits.stop()
        assert await asyncio.gather(*tasks) == [QUEUED] * 5
        assert await waits.settled(Looks(QUEUED), stays, 30) is QUEUED

    started = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - started < 2


def test_calls_are_made_off_the_loop_and_say_what_they_say():
    async def run():
        offload = Offload(threads=2, calls=10, seconds=5)
        names = await asyncio.gather(
            *(offload.call(lambda: threading.current_thread().name) for _ in range(8))
        )
        assert set(names) == {"offload"}
        with pytest.raises(KeyError):
            await offload.call(lambda: {}["x"])
        assert await offload.call(lambda: 7) == 7
        offload.stop()

    before = threading.active_count()
    asyncio.run(run())
    until = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_calls_that_hang_are_given_up_and_others_refused():
    gate = threading.Event()

    async def run():
        offload = Offload(threads=1, calls=2, seconds=0.05)
        hanging = await asyncio.gather(
            offload.call(gate.wait), offload.call(lambda: 1), return_exceptions=True
        )
        assert [type(each) for each in hanging] == [TimeoutError, TimeoutError]
        with pytest.raises(Overloaded):
            await offload.call(lambda: 2)
        gate.set()
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await offload.call(lambda: 3) == 3
                except Overloaded:
                    await asyncio.sleep(0.01)
                else:
                    return

    asyncio.run(run())


def test_a_loop_that_ends_amid_a_call_is_no_error():
    gate = threading.Event()

    async def run():
        with pytest.raises(TimeoutError):
            await Offload(threads=1, calls=1, seconds=0.01).call(gate.wait)

    asyncio.run(run())
    gate.set()
