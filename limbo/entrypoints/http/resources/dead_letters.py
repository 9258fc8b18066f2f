"""The handlers of dead letters, for admins: read, redrive, drop."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

import structlog

from limbo.domain.mail.ids import is_mail_id
from limbo.entrypoints.http.api.endpoint import Call, Store
from limbo.entrypoints.http.api.operations import AFTER, LIMIT
from limbo.entrypoints.http.api.representations import (
    causes_representation,
    dead_letter_representation,
)
from limbo.entrypoints.http.api.schemas import (
    MAX_CAUSES,
    MAX_IDS,
    Causes,
    DeadLetterPage,
    DeadLetterShape,
    Dropped,
    Redriven,
)
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.ports.dead_letters import DeadLetter, DeadLetters

log: structlog.stdlib.BoundLogger = structlog.get_logger()

Choice = Callable[[DeadLetters], Sequence[str]]
_MAX_TEXT = 200
_HOW = 'must be {"ids": […]}, {"cause": "…"} or {"all": true}'


class DeadLetterHandlers:
    """The handlers; they never show the addresses or the content of a mail."""

    def __init__(self, letters: DeadLetters | None, *, offload: Offload) -> None:
        missing = "this limbo cannot reach its dead letters"
        self._ask = Store(letters, offload=offload, missing=missing).ask

    async def list(self, call: Call) -> DeadLetterPage:
        """Show a page of dead letters."""
        limit, after = LIMIT.read(call.query), AFTER.read(call.query)
        found = await self._ask(lambda letters: letters.list(limit + 1, after))
        data = [dead_letter_representation(letter) for letter in found[:limit]]
        return {"data": data, "has_more": len(found) > limit}

    async def causes(self, _: Call) -> Causes:
        """Count by cause."""
        return causes_representation(await self._ask(lambda letters: letters.causes(MAX_CAUSES)))

    async def show(self, call: Call) -> DeadLetterShape:
        """Show one dead letter."""
        letter = await self._ask(lambda letters: _find(letters, call.id))
        if letter is None:
            raise _no_such_letter()
        return dead_letter_representation(letter)

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

        def choose(letters: DeadLetters) -> Sequence[str]:
            letter = _find(letters, call.id)
            return [] if letter is None else [letter.id]

        dropped = await self._drop(choose)
        if not dropped["dropped"]:
            raise _no_such_letter()
        return dropped

    async def _drop(self, choose: Choice) -> Dropped:
        count = await self._ask(lambda letters: letters.drop(choose(letters)))
        log.info("dead letters dropped", count=count)
        return {"dropped": count}


def _find(letters: DeadLetters, text: str) -> DeadLetter | None:
    return letters.show(text) if is_mail_id(text) else None


def _no_such_letter() -> HttpRefusal:
    return HttpRefusal(HTTPStatus.NOT_FOUND, "no such dead letter", code=Code.DEAD_LETTER_NOT_FOUND)


def parse_choice(document: Mapping[str, object]) -> Choice:
    """Return a function that finds the ids of the dead letters that the body names.

    Raises HttpRefusal with 400.
    """
    match dict(document):
        case {"ids": list(ids), **rest} if not rest and 0 < len(ids) <= MAX_IDS:
            names = [text for text in ids if isinstance(text, str) and 0 < len(text) <= _MAX_TEXT]
            if len(names) == len(ids):
                return lambda _: [name for name in names if is_mail_id(name)]
        case {"cause": str(name), **rest} if not rest and 0 < len(name) <= _MAX_TEXT:
            return lambda letters: letters.select(name)
        case {"all": True, **rest} if not rest and document["all"] is True:
            return lambda letters: letters.select()
        case _:
            pass
    detail = f"the body {_HOW}; ids are 1 to {MAX_IDS} strings of at most {_MAX_TEXT} characters"
    raise HttpRefusal(HTTPStatus.BAD_REQUEST, detail, code=Code.INVALID_BODY)
