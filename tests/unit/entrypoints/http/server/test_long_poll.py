"""Requests wait for their mails by one question for all, and each client has its share."""

import asyncio
import time

import pytest

from limbo.domain.delivery.lifecycle import Status
from limbo.domain.errors import LedgerUnavailable
from limbo.entrypoints.http.server.body import ClientGone
from limbo.entrypoints.http.server.long_poll import LongPolls
from tests.support.clock import run_leaping


class Ledger:
    """Answers for each mail one status after the other, the last for ever."""

    def __init__(self, **statuses):
        self.statuses = {name: [*each] for name, each in statuses.items()}
        self.asked = []
        self.error = None

    async def __call__(self, ids):
        self.asked.append(sorted(ids))
        if self.error is not None:
            raise self.error
        each = {name: self.statuses[name] for name in ids if name in self.statuses}
        return {name: all_.pop(0) if len(all_) > 1 else all_[0] for name, all_ in each.items()}


async def stays():
    await asyncio.Event().wait()


async def leaves():
    return {"type": "http.disconnect"}


def start(polls, *names, client="shop", seconds=3000, **more):
    return [asyncio.create_task(polls.hold(name, client, stays, seconds, **more)) for name in names]


def test_what_gets_settled_ends_the_wait():
    async def run():
        loop = asyncio.get_running_loop()
        ledger = Ledger(a=[Status.QUEUED, Status.SENDING, Status.SENT])
        (task,) = start(LongPolls(ledger, pause=10), "a")
        for _ in range(2):
            await loop.leap(10)
            assert not task.done()
        await loop.leap(10)
        assert task.result() is True
        assert ledger.asked == [["a"]] * 3

    run_leaping(run())


def test_what_does_not_ends_in_time():
    async def run():
        loop, ledger = asyncio.get_running_loop(), Ledger(a=[Status.QUEUED])
        (task,) = start(LongPolls(ledger, pause=1000), "a", seconds=3500)
        for _ in range(3):
            await loop.leap(1000)
            assert not task.done()
        await loop.leap(500)
        assert task.result() is True
        assert len(ledger.asked) == 3

    run_leaping(run())


def test_an_entry_that_is_purged_meanwhile_ends_the_wait():
    async def run():
        (task,) = start(LongPolls(Ledger(), pause=10), "a")
        await asyncio.get_running_loop().leap(10)
        assert task.result() is True

    run_leaping(run())


def test_one_question_is_asked_for_all_who_wait_and_none_when_nobody_does():
    async def run():
        loop = asyncio.get_running_loop()
        ledger = Ledger(a=[Status.SENDING, Status.SENT], b=[Status.SENDING, Status.DEAD])
        tasks = start(LongPolls(ledger, pause=10), *["a", "b"] * 20)
        for _ in range(5):
            await loop.leap(10)
        assert all(task.result() for task in tasks)
        assert ledger.asked == [["a", "b"]] * 2

    run_leaping(run())


def test_a_ledger_that_fails_ends_all_waits_and_the_next_begins_anew():
    async def run():
        loop, ledger = asyncio.get_running_loop(), Ledger(a=[Status.SENT])
        polls = LongPolls(ledger, pause=10)
        ledger.error = LedgerUnavailable()
        tasks = start(polls, "a", "a", "b")
        await loop.leap(10)
        for task in tasks:
            assert task.exception() is ledger.error
        ledger.error = None
        (task,) = start(polls, "a")
        await loop.leap(10)
        assert task.result() is True

    run_leaping(run())


def test_so_many_wait_and_no_more_and_one_client_has_its_share():
    async def run():
        polls = LongPolls(Ledger(a=[Status.QUEUED]), most=3, each=2, pause=1000)
        tasks = start(polls, "a", "a")
        await asyncio.sleep(0)
        assert not await polls.hold("a", "shop", stays, 3000)
        tasks += start(polls, "a", client="other")
        await asyncio.sleep(0)
        assert not await polls.hold("a", "third", stays, 3000)
        assert not any(task.done() for task in tasks)
        polls.stop()
        assert await asyncio.gather(*tasks) == [True] * 3

    asyncio.run(run())


def test_a_client_that_goes_away_frees_its_place():
    async def run():
        polls = LongPolls(Ledger(a=[Status.QUEUED]), each=1, pause=1000)
        with pytest.raises(ClientGone):
            await polls.hold("a", "shop", leaves, 3000)
        (task,) = start(polls, "a")
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await polls.hold("a", "shop", stays, 0.01)

    asyncio.run(run())


def test_who_may_not_wait_any_more_is_refused_within_five_seconds():
    async def run():
        loop, is_revoked = asyncio.get_running_loop(), False

        def check_again():
            if is_revoked:
                raise PermissionError

        polls = LongPolls(Ledger(a=[Status.QUEUED]), pause=1000)
        (task,) = start(polls, "a", check_again=check_again)
        await loop.leap(4)
        assert not task.done()
        is_revoked = True
        await loop.leap(4)
        assert isinstance(task.exception(), PermissionError)

    run_leaping(run())


def test_a_stop_ends_all_waits_and_lets_none_wait_any_more():
    async def run():
        polls = LongPolls(Ledger(a=[Status.QUEUED]), pause=3000)
        tasks = start(polls, *["a"] * 5)
        await asyncio.sleep(0)
        polls.stop()
        assert await asyncio.gather(*tasks) == [True] * 5
        assert not await polls.hold("a", "shop", stays, 3000)

    started = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - started < 15
