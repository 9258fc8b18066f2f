"""What takes long to validate leaves the event loop, and clients take turns at it."""

import asyncio
import json
import threading

import pytest

from limbo.entrypoints.http.resources.submission.validation import Validation
from limbo.entrypoints.http.server.problems import HttpRefusal
from tests.support.asgi import call
from tests.support.http_app import BODY, MAIL, NOW, HttpApp

IDN = [f"u{number}@bücher{number}.example" for number in range(50)]
SLOW = {
    "many addresses": json.dumps(MAIL | {"to": IDN}).encode(),
    "many escaped addresses": json.dumps(MAIL | {"to": IDN}).replace("@", "\\u0040").encode(),
    "a long text": json.dumps(MAIL | {"message": "x" * 100_000}).encode(),
    "many names": json.dumps(MAIL | {f"n{number}": 1 for number in range(9000)}).encode(),
}


class Gate:
    """A clock that stops whoever asks it off the event loop, until it is open."""

    def __init__(self):
        self.open = threading.Event()
        self.asked = threading.Event()
        self._loop = threading.get_ident()

    def __call__(self):
        if threading.get_ident() != self._loop:
            self.asked.set()
            self.open.wait(30)
        return NOW

    async def is_asked(self):
        assert await asyncio.to_thread(self.asked.wait, 30)


@pytest.mark.parametrize("body", SLOW.values(), ids=SLOW)
def test_while_a_mail_is_validated_for_long_another_is_answered(body):
    gate = Gate()

    async def use(app):
        slow = asyncio.create_task(call(app, "POST", "/v1/mail", body))
        await gate.is_asked()
        quick = await call(app, "POST", "/v1/mail", BODY)
        is_waiting = not slow.done()
        gate.open.set()
        return quick.status_code, is_waiting, (await slow).status_code

    expected = 400 if b'"n1"' in body else 200
    assert HttpApp(now=gate).run(use) == (200, True, expected)


def test_a_small_mail_takes_no_thread():
    gate = Gate()
    validation = Validation(now=gate)
    assert validation.at_once(BODY).subject == "Hello"
    assert not gate.asked.is_set()


def test_clients_take_turns():
    gate = Gate()
    validation, done = Validation(now=gate), []

    async def validate(client, number):
        await validation.off_the_loop(SLOW["a long text"], client)
        done.append(f"{client}{number}")

    async def run():
        busy = [asyncio.create_task(validate("busy", number)) for number in range(3)]
        await gate.is_asked()
        other = asyncio.create_task(validate("other", 0))
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(*busy, other)

    asyncio.run(run())
    assert done == ["busy0", "other0", "busy1", "busy2"]


def test_who_gets_no_turn_is_told_to_come_again():
    gate = Gate()

    async def run():
        validation = Validation(now=gate, seconds=0.05)
        first, second = (validation.off_the_loop(SLOW["a long text"], name) for name in "ab")
        answers = await asyncio.gather(first, second, return_exceptions=True)
        gate.open.set()
        return answers

    for answer in asyncio.run(run()):
        assert isinstance(answer, HttpRefusal)
        assert (answer.status, answer.headers) == (503, ((b"retry-after", b"5"),))
