"""Which dead letters a body names, and what becomes of those that there are not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from limbo.domain.mail.ids import canonical_id, is_mail_id
from limbo.entrypoints.http.api.schemas import MAX_IDS
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.ports.dead_letters import DeadLetters, OnProgress

Change = Callable[[Sequence[str], OnProgress], int]
_MAX_TEXT = 200
_HOW = 'must be {"ids": […]}, {"cause": "…"} or {"all": true}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Dead letters that are named by ids or by a cause; without either, all."""

    ids: Sequence[str] | None = None
    cause: str | None = None

    @property
    def selection(self) -> Mapping[str, object]:
        """The choice as the body named it, for the audit."""
        if self.ids is not None:
            return {"ids": self.ids}
        return {"all": True} if self.cause is None else {"cause": self.cause}

    def apply(self, letters: DeadLetters, change: Change) -> tuple[int, list[str]]:
        """Make the change; return for how many it was made, and the ids that none of them has.

        Raises HttpRefusal with 404 if nothing has been named: a mistyped name is not a success.
        """
        if self.ids is None:
            ids = letters.select(self.cause)
            if not ids and self.cause is not None:
                raise _not_found("no dead letter has that cause")
            return change(ids, _ignore), []
        found: set[str] = set()
        wanted = {text: canonical_id(text) for text in self.ids}
        count = change([id_ for id_ in wanted.values() if is_mail_id(id_)], found.update)
        if not found:
            raise _not_found("no such dead letter" if len(wanted) == 1 else "no such dead letters")
        return count, [text for text, id_ in wanted.items() if id_ not in found]


def parse_choice(document: Mapping[str, object]) -> Choice:
    """Return which dead letters the body names; raises HttpRefusal with 400."""
    match dict(document):
        case {"ids": list(ids), **rest} if not rest and 0 < len(ids) <= MAX_IDS:
            names = [text for text in ids if isinstance(text, str) and 0 < len(text) <= _MAX_TEXT]
            if len(names) == len(ids):
                return Choice(ids=names)
        case {"cause": str(name), **rest} if not rest and 0 < len(name) <= _MAX_TEXT:
            if "\0" not in name:
                return Choice(cause=name)
        case {"all": True, **rest} if not rest and document["all"] is True:
            return Choice()
        case _:
            pass
    detail = f"the body {_HOW}; ids are 1 to {MAX_IDS} strings of at most {_MAX_TEXT} characters"
    raise HttpRefusal(HTTPStatus.BAD_REQUEST, detail, code=Code.INVALID_BODY)


def _ignore(_: Sequence[str]) -> None:
    return None


def _not_found(detail: str) -> HttpRefusal:
    return HttpRefusal(HTTPStatus.NOT_FOUND, detail, code=Code.DEAD_LETTER_NOT_FOUND)
