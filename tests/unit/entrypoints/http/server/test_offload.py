import asyncio
import threading
import time

import pytest

from limbo.entrypoints.http.server.offload import Offload, Overloaded


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
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await offload.call(lambda: 3) == 3
                except (Overloaded, TimeoutError):
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


def test_those_who_ask_under_one_key_share_a_call_while_it_is_made():
    gate, made = threading.Event(), []

    def function():
        made.append(1)
        gate.wait(5)
        return len(made)

    async def run():
        offload = Offload(threads=2, calls=2, seconds=5)
        tasks = [asyncio.create_task(offload.call(function, key="a")) for _ in range(9)]
        other = asyncio.create_task(offload.call(lambda: 7, key="b"))
        assert await other == 7
        tasks.pop().cancel()
        gate.set()
        assert await asyncio.gather(*tasks) == [1] * 8
        assert await offload.call(function, key="a") == 2

    asyncio.run(run())


@pytest.mark.parametrize(("key", "made"), [(None, []), ("a", ["x"])])
def test_a_call_that_nobody_waits_for_any_more_is_made_only_if_it_has_a_key(key, made):
    gate, calls = threading.Event(), []

    async def run():
        offload = Offload(threads=1, calls=3, seconds=5)
        hanging = asyncio.create_task(offload.call(gate.wait))
        gone = asyncio.create_task(offload.call(lambda: calls.append("x"), key=key))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        gate.set()
        await hanging
        await offload.call(lambda: None)
        assert calls == made

    asyncio.run(run())


def test_a_shared_call_that_fails_when_all_are_gone_is_nobody_s_concern(caplog):
    gate = threading.Event()

    def fail():
        gate.wait(5)
        raise KeyError("x")

    async def run():
        offload = Offload(threads=1, calls=2, seconds=0.01)
        with pytest.raises(TimeoutError):
            await offload.call(fail, key="a")
        gate.set()
        while True:
            try:
                assert await offload.call(lambda: 1, key="a") == 1
            except (KeyError, TimeoutError):
                await asyncio.sleep(0.01)
            else:
                return

    asyncio.run(run())
    assert caplog.records == []


def test_no_more_calls_are_made_at_once_than_there_are_threads():
    lock, at_once, most = threading.Lock(), [0], [0]
    all_threads = threading.Barrier(3, timeout=30)

    def function():
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        all_threads.wait()
        time.sleep(0.002)
        with lock:
            at_once[0] -= 1

    async def run():
        offload = Offload(threads=3, calls=51, seconds=60)
        await asyncio.gather(*(offload.call(function) for _ in range(51)))
        assert most == [3]

    asyncio.run(run())
