"""What is to be said of a field of a mail, for all else to follow from it."""

import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from limbo.domain.errors import Problem

JsonSchema = Mapping[str, object]
Problems = list[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailField:
    """All that is known of one field, its attribute in a Mail apart."""

    name: str
    """As a client writes it; the attribute has the same, with `_` behind a word of Python's."""
    parse: Callable[[object, Problems], Any]
    """Reads what a document holds, None for nothing, and adds what is wrong with it."""
    encode: Callable[[Any], object] | None
    """Returns the JSON that ``parse`` reads back to an equal value; None where that is itself."""
    private: Callable[[Any], Iterable[str]]
    """Yields what a provider may repeat in its answer, and no log may hold."""
    absent: object
    """The value in a mail that does not use the field."""
    request: JsonSchema
    """The schema of what a client posts."""
    shown: JsonSchema | None
    """The schema of what a client sees of it afterwards, None for nothing."""
    required: bool = False
    since: int = 1
    """The first version of a mail that has the field: an older limbo leaves such mails alone."""
    place: int = 99
    """Where it stands in what is written; what has the same place stands as in the table."""

    @property
    def attribute(self) -> str:
        """Return the name of its attribute in a Mail."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds of some attributes together; it stands in the table below the last of them.

    ``judge`` is given their values and the problems found so far, and returns the values to take.
    """

    attributes: tuple[str, ...]
    judge: Callable[..., tuple[Any, ...]]
