"""How one field of a mail is described. Everything else about the field follows from this."""

import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from limbo.domain.errors import Problem

JsonSchema = Mapping[str, object]
Problems = list[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailField:
    """Everything that is known of one field, except its attribute in Mail."""

    name: str
    """The name that clients use. The attribute adds `_` to a name that is a Python keyword."""
    parse: Callable[[object, Problems], Any]
    """Parses a document's value, None if it is missing, and adds what is wrong to the problems."""
    encode: Callable[[Any], object] | None
    """Returns JSON that ``parse`` reads back as an equal value. None if the value is that JSON."""
    private: Callable[[Any], Iterable[str]]
    """Yields texts that a provider may repeat in its answer, and that no log may contain."""
    absent: object
    """The value in a mail that does not use the field."""
    request: JsonSchema
    """The schema of what a client posts."""
    shown: JsonSchema | None
    """The schema of what a client sees of the field later, or None if it sees nothing."""
    required: bool = False
    multiline: bool = False
    """Whether the value is a text of several lines, which a person reads below the other fields."""
    since: int = 1
    """The first version of a mail with this field. An older limbo does not send such a mail."""
    place: int = 99
    """The field's position in what is written. Fields of the same place keep the table's order."""

    @property
    def attribute(self) -> str:
        """Return the name of the field's attribute in Mail."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule about several attributes together. It stands in the table below the last of them.

    ``judge`` gets their values and the problems found so far, and returns the values to use.
    """

    attributes: tuple[str, ...]
    judge: Callable[..., tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A bound on fields that cost time to parse. It stands in the table before the first of them.

    ``allows`` gets the document, and adds what is wrong to the problems. If it returns False, none
    of the fields is parsed.
    """

    names: tuple[str, ...]
    allows: Callable[[Mapping[str, object], Problems], bool]


Entry = MailField | Rule | Bound
