import asyncio

import pytest

from limbo.entrypoints.http.server.deadline import Deadline
from tests.support.clock import run_leaping


def test_a_deadline_ends_only_what_is_late():
    async def run():
        deadline, loop = Deadline(1000), asyncio.get_running_loop()

        async def take(seconds):
            task = deadline.begin()
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                if deadline.has_passed(task):
                    raise TimeoutError from None
                raise
            finally:
                deadline.end(task)
            return seconds

        assert await take(0) == 0
        await loop.leap(300)
        late, cancelled, quick = (asyncio.create_task(take(x)) for x in (5000, 5000, 500))
        await loop.leap()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await loop.leap(500)
        assert quick.result() == 500
        assert not late.done()
        await loop.leap(300)  # the timer of the first has rung, and is set again
        assert not late.done()
        await loop.leap(200)
        assert isinstance(late.exception(), TimeoutError)
        await loop.leap(50)
        later = [asyncio.create_task(take(5000)) for _ in range(2)]
        await loop.leap(900)
        assert not any(task.done() for task in later)
        await loop.leap(100)
        assert all(isinstance(task.exception(), TimeoutError) for task in later)

    run_leaping(run())
