import asyncio
import time

import pytest

from limbo.entrypoints.http.server.deadline import Deadline


def test_a_deadline_ends_only_what_is_late():
    async def run():
        deadline = Deadline(0.1)

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

        async def late():
            with pytest.raises(TimeoutError):
                await take(5)

        async def cancelled():
            task = asyncio.create_task(take(5))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        started = time.monotonic()
        assert await take(0) == 0
        await asyncio.gather(late(), cancelled(), take(0.05))
        assert 0.09 < time.monotonic() - started < 4
        await asyncio.sleep(0.05)
        await asyncio.gather(late(), late())  # the timer is set again
        assert time.monotonic() - started < 4

    asyncio.run(run())
