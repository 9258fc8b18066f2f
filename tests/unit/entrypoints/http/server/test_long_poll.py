import asyncio
import dataclasses
import time

import pytest

from limbo.domain.delivery.lifecycle import Status
from limbo.domain.errors import LedgerUnavailable
from limbo.entrypoints.http.server.body import ClientGone
from limbo.entrypoints.http.server.long_poll import LongPolls
from limbo.ports.ledger_reader import Record
from tests.support.clock import run_leaping

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


def wait(looks, seconds, *, receive=stays, polls=None):
    async def run():
        started = time.monotonic()
        held = polls or LongPolls(pause=0.02)
        record = await held.wait_until_final(looks, receive, seconds)
        return record, time.monotonic() - started

    return asyncio.run(run())


@pytest.mark.parametrize("record", [SENT, None])
def test_what_is_settled_or_unknown_is_answered_at_once(record):
    found, seconds = wait(Looks(record), 30)
    assert found is record
    assert seconds < 15


def test_what_gets_settled_is_answered_then():
    looks = Looks(QUEUED, QUEUED, QUEUED, SENT)
    assert wait(looks, 30)[0] is SENT
    assert looks.count == 4


def test_what_does_not_is_answered_in_time():
    async def run():
        loop, looks, counts = asyncio.get_running_loop(), Looks(QUEUED), []
        polls = LongPolls(pause=1000)
        task = asyncio.create_task(polls.wait_until_final(looks, stays, 3500))
        for seconds in (0, 500, 500, 1000, 1000):
            await loop.leap(seconds)
            counts.append(looks.count)
            assert not task.done()
        await loop.leap(500)
        assert task.result() is QUEUED
        assert [*counts, looks.count] == [1, 1, 2, 3, 4, 5]

    run_leaping(run())


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
        polls = LongPolls(most=1, pause=30)
        with pytest.raises(ClientGone):
            await polls.wait_until_final(Looks(QUEUED), leaves_after(0.05), 30)
        task = asyncio.create_task(polls.wait_until_final(Looks(QUEUED), stays, 30))
        await asyncio.sleep(0.02)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await polls.wait_until_final(Looks(QUEUED), stays, 0.01) is QUEUED

    started = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - started < 15


def test_so_many_wait_and_no_more():
    async def run():
        polls = LongPolls(most=2, pause=0.02)
        tasks = [
            asyncio.create_task(polls.wait_until_final(Looks(QUEUED), stays, 30)) for _ in range(2)
        ]
        await asyncio.sleep(0.05)
        assert await polls.wait_until_final(Looks(QUEUED), stays, 30) is QUEUED
        assert not any(task.done() for task in tasks)
        polls.stop()
        assert await asyncio.gather(*tasks) == [QUEUED, QUEUED]

    asyncio.run(run())


def test_a_stop_answers_all_that_wait_and_lets_none_wait_any_more():
    async def run():
        polls = LongPolls(pause=30)
        tasks = [
            asyncio.create_task(polls.wait_until_final(Looks(QUEUED), stays, 30)) for _ in range(5)
        ]
        await asyncio.sleep(0.02)
        polls.stop()
        assert await asyncio.gather(*tasks) == [QUEUED] * 5
        assert await polls.wait_until_final(Looks(QUEUED), stays, 30) is QUEUED

    started = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - started < 15
