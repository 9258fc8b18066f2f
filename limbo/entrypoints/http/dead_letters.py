"""The dead letters, for admins: look, put back, delete."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar

import structlog

from limbo.entrypoints.http.endpoint import Call
from limbo.entrypoints.http.offload import Offload
from limbo.entrypoints.http.operations import AFTER, LIMIT
from limbo.entrypoints.http.parameters import ID
from limbo.entrypoints.http.problems import Refused
from limbo.entrypoints.http.resource import cause_shape, dead_letter_shape
from limbo.entrypoints.http.shapes import (
    MAX_IDS,
    Causes,
    DeadLetterPage,
    DeadLetterShape,
    Dropped,
    Redriven,
)
from limbo.ports.queue import DeadLetter, DeadLetters

log: structlog.stdlib.BoundLogger = structlog.get_logger()

T = TypeVar("T")
Choice = Callable[[DeadLetters], Sequence[str]]
_MAX_TEXT = 200
_HOW = 'must be {"ids": […]}, {"cause": "…"} or {"all": true}'


class DeadLetterDesk:
    """The handlers; they never show whom a mail is from or to, or what it says."""

    def __init__(self, letters: DeadLetters | None, *, offload: Offload) -> None:
        self._letters = letters
        self._offload = offload

    async def list(self, call: Call) -> DeadLetterPage:
        """Show a page of dead letters."""
        limit, after = LIMIT.read(call.query), AFTER.read(call.query)
        found = await self._ask(lambda letters: letters.list(limit + 1, after))
        data = [dead_letter_shape(letter) for letter in found[:limit]]
        return {"data": data, "has_more": len(found) > limit}

    async def causes(self, _: Call) -> Causes:
        """Count by cause."""
        counts = await self._ask(lambda letters: letters.causes())
        return {"data": [{"cause": cause_shape(cause), "count": n} for cause, n in counts]}

    async def show(self, call: Call) -> DeadLetterShape:
        """Show one dead letter."""
        return dead_letter_shape(await self._find(call.id))

    async def redrive(self, call: Call) -> Redriven:
        """Put dead letters back into the queue."""
        choose = parse_choice(call.document)
        count = await self._ask(lambda letters: letters.redrive(choose(letters)))
        log.info("dead letters redriven", count=count)
        return {"redriven": count}

    async def drop(self, call: Call) -> Dropped:
        """Delete dead letters."""
        return await self._drop(parse_choice(call.document))

    async def drop_one(self, call: Call) -> Dropped:
        """Delete one dead letter."""
        letter = await self._find(call.id)
        return await self._drop(lambda _: [letter.id])

    async def _drop(self, choose: Choice) -> Dropped:
        count = await self._ask(lambda letters: letters.drop(choose(letters)))
        log.info("dead letters dropped", count=count)
        return {"dropped": count}

    async def _find(self, text: str) -> DeadLetter:
        letter = None
        if ID.fullmatch(text) or self._letters is None:
            letter = await self._ask(lambda letters: letters.show(text))
        if letter is None:
            raise Refused(HTTPStatus.NOT_FOUND, "no such dead letter")
        return letter

    async def _ask(self, question: Callable[[DeadLetters], T]) -> T:
        letters = self._letters
        if letters is None:
            detail = "this limbo cannot reach its dead letters"
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, detail)
        return await self._offload.call(lambda: question(letters))


def parse_choice(document: Mapping[str, object]) -> Choice:
    """Return which dead letters are meant; raises Refused with 400."""
    match dict(document):
        case {"ids": list(ids), **rest} if not rest and 0 < len(ids) <= MAX_IDS:
            names = [text for text in ids if isinstance(text, str) and 0 < len(text) <= _MAX_TEXT]
            if len(names) == len(ids):
                return lambda _: [name for name in names if ID.fullmatch(name)]
        case {"cause": str(name), **rest} if not rest and 0 < len(name) <= _MAX_TEXT:
            return lambda letters: _of_cause(letters, name)
        case {"all": True, **rest} if not rest and document["all"] is True:
            return lambda letters: letters.select()
        case _:
            pass
    detail = f"the body {_HOW}; ids are 1 to {MAX_IDS} strings of at most {_MAX_TEXT} characters"
    raise Refused(HTTPStatus.BAD_REQUEST, detail)


def _of_cause(letters: DeadLetters, name: str) -> Sequence[str]:
    causes = [cause for cause, _ in letters.causes() if name in (cause.id, cause.kind)]
    return letters.select(causes) if causes else []
