"""The handlers of dead letters, for admins: read, redrive, drop."""

from collections.abc import Callable, Sequence
from http import HTTPStatus

from limbo.domain.access.audit import Action
from limbo.domain.mail.ids import is_mail_id
from limbo.entrypoints.http.api.endpoint import Call, Store
from limbo.entrypoints.http.api.operations import AFTER, CAUSE, LIMIT
from limbo.entrypoints.http.api.parameters import no_position
from limbo.entrypoints.http.api.representations import (
    causes_representation,
    dead_letter_representation,
)
from limbo.entrypoints.http.api.schemas import (
    MAX_CAUSES,
    Causes,
    DeadLetterPage,
    DeadLetterShape,
    Dropped,
    Redriven,
)
from limbo.entrypoints.http.resources.choice import Change, Choice, parse_choice
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.entrypoints.telemetry.audit import Audit
from limbo.ports.dead_letters import DeadLetter, DeadLetterEntry, DeadLetters


class DeadLetterHandlers:
    """The handlers; they never show the addresses or the content of a mail."""

    def __init__(self, letters: DeadLetters | None, *, audit: Audit, offload: Offload) -> None:
        missing = "this limbo cannot reach its dead letters"
        self._audit = audit
        self._ask = Store(letters, offload=offload, missing=missing).ask

    async def list(self, call: Call) -> DeadLetterPage:
        """Show a page of dead letters."""
        limit, after = LIMIT.read(call.query), AFTER.read(call.query)
        cause = CAUSE.read(call.query)

        def page(letters: DeadLetters) -> Sequence[DeadLetterEntry] | None:
            if after is not None and not _is_letter(letters, after):
                return None
            return letters.list(limit + 1, after, cause)

        found = await self._ask(page)
        if found is None:
            raise no_position()
        data = [dead_letter_representation(letter) for letter in found[:limit]]
        return {"data": data, "has_more": len(found) > limit}

    async def causes(self, _: Call) -> Causes:
        """Count by cause."""
        counts = await self._ask(lambda letters: letters.causes(MAX_CAUSES + 1))
        return causes_representation(counts[:MAX_CAUSES], has_more=len(counts) > MAX_CAUSES)

    async def show(self, call: Call) -> DeadLetterShape:
        """Show one dead letter."""
        letter = await self._ask(lambda letters: _find(letters, call.id))
        if letter is None:
            raise _no_such_letter()
        return dead_letter_representation(letter)

    async def redrive(self, call: Call) -> Redriven:
        """Put dead letters back into the queue."""
        choice = parse_choice(call.document)
        count, not_found = await self._change(
            call, Action.REDRIVE, choice, lambda letters: letters.redrive
        )
        return {"redriven": count, "not_found": [*not_found]}

    async def drop(self, call: Call) -> Dropped:
        """Delete dead letters."""
        return await self._drop(call, parse_choice(call.document))

    async def drop_one(self, call: Call) -> Dropped:
        """Delete one dead letter."""
        return await self._drop(call, Choice(ids=[call.id]))

    async def _drop(self, call: Call, choice: Choice) -> Dropped:
        count, not_found = await self._change(
            call, Action.DROP, choice, lambda letters: letters.drop
        )
        return {"dropped": count, "not_found": [*not_found]}

    async def _change(
        self, call: Call, action: Action, choice: Choice, change: Callable[[DeadLetters], Change]
    ) -> tuple[int, Sequence[str]]:
        actor = call.actor

        def work(letters: DeadLetters) -> tuple[int, Sequence[str]]:
            with self._audit.recorded(actor, action, choice.selection) as changed:
                count, not_found = choice.apply(letters, change(letters))
                changed.count = count
            return count, not_found

        return await self._ask(work)


def _find(letters: DeadLetters, text: str) -> DeadLetter | None:
    return letters.show(text) if is_mail_id(text) else None


def _is_letter(letters: DeadLetters, id_: str) -> bool:
    letter = letters.show(id_)
    return letter is not None and letter.id == id_


def _no_such_letter() -> HttpRefusal:
    return HttpRefusal(HTTPStatus.NOT_FOUND, "no such dead letter", code=Code.DEAD_LETTER_NOT_FOUND)
