"""All fields of a mail together, and what follows from their descriptions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from limbo.domain.errors import InvalidMail, Problem
from limbo.domain.mail.composed import reader, writer
from limbo.domain.mail.field import Entry, MailField, Problems

MAX_PROBLEMS = 100
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


class MailFields:
    """The table of fields in use. A class of mails holds its own as ``fields``."""

    def __init__(self, table: Sequence[Entry]) -> None:
        told = [entry for entry in table if isinstance(entry, MailField)]
        self.names = tuple(field.name for field in told)
        self.placed = tuple(sorted(told, key=lambda field: field.place))
        self.multiline = frozenset(field.name for field in told if field.multiline)
        self.version = max(field.since for field in told)
        self._known = frozenset(self.names)
        self.parse = reader(table, self._check)
        """Returns the mail's attributes from a JSON object, and the mail's version.

        Raises InvalidMail with all problems, in the order of the table. Unknown fields come last.
        """
        self.document = writer(
            [field for field in self.placed if field.required],
            [field for field in self.placed if not field.required],
        )
        """Adds the fields that ``parse`` reads back: those that are required or used."""
        first = [field for field in self.placed if field.since == 1]
        self._newer = [field for field in self.placed if field.since > 1]
        self._write_first = writer(first)
        self._write_newer = writer((), self._newer)
        self._write_shown = writer(_shown(first), _shown(self._newer))

    def content(self, mail: object) -> dict[str, object]:
        """Return all fields of version 1 as JSON, and those newer fields that are used."""
        return self._write_newer(mail, self._write_first(mail, {}))

    def shown(self, mail: object) -> dict[str, object]:
        """Return what a client sees of the content."""
        return self._write_shown(mail, {})

    def identity(self, mail: object) -> list[object]:
        """Return JSON that is equal for two mails with the same content, and differs otherwise.

        It does not change for a mail that uses none of the fields of a newer version.
        """
        identity = list(self._write_first(mail, {}).values())
        if self._newer and (newer := self._write_newer(mail, {})):
            identity.append(newer)
        return identity

    def private_words(self, mail: object) -> Iterator[str]:
        """Yield the texts that a provider may repeat in its answer, and no log may contain."""
        for field in self.placed:
            value = getattr(mail, field.attribute)
            if value != field.absent:
                yield from field.private(value)

    def _check(self, document: Mapping[str, object], problems: Problems) -> None:
        if not document.keys() <= self._known:
            count = len(problems) + len(document) - sum(name in document for name in self.names)
            unknown = (self._unknown(name) for name in document if name not in self._known)
            problems += islice(unknown, max(0, MAX_PROBLEMS - len(problems)))
            raise InvalidMail(_shortened(problems, count), count)
        if problems:
            raise InvalidMail(_shortened(problems, len(problems)), len(problems))

    def _unknown(self, name: str) -> Problem:
        known = f"unknown field; known are {', '.join(self.names)}"
        if _IDENTIFIER.fullmatch(name):
            return Problem(pointer=f"/{name}", detail=f"{name}: {known}")
        return Problem(pointer="", detail=f"a name that is no identifier: {known}")


def _shown(fields: Sequence[MailField]) -> list[MailField]:
    return [field for field in fields if field.shown is not None]


def _shortened(problems: Problems, count: int) -> Problems:
    """Limit the length of the answer to a hostile document."""
    if count <= MAX_PROBLEMS:
        return problems
    more = f"and {count - MAX_PROBLEMS} more problems"
    return [*problems[:MAX_PROBLEMS], Problem(pointer="", detail=more)]
