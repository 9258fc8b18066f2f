import asyncio
import threading

from limbo.entrypoints.http.api.endpoint import Store
from limbo.entrypoints.http.server.offload import Offload


def test_many_questions_of_one_client_delay_none_of_another():
    held = threading.Event()
    store = Store(held, offload=Offload(threads=4, calls=10, seconds=30.0), missing="")

    async def ask_all():
        many = [asyncio.create_task(store.ask(threading.Event.wait, "bad")) for _ in range(100)]
        await asyncio.sleep(0)
        other = await store.ask(threading.Event.is_set, "good")
        held.set()
        return other, await asyncio.gather(*many)

    other, many = asyncio.run(ask_all())
    assert (other, many) == (False, [True] * 100)
