"""Functions over the fields of a mail, generated once, because every mail goes through them.

They are generated as source code, as dataclasses do it, because a loop over the fields is much
slower. The source contains only names from the table of fields, and nothing from a client.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from limbo.domain.mail.field import Bound, Entry, MailField, Problems, Rule

Reader = Callable[..., Any]
Check = Callable[[Mapping[str, object], Problems], None]
Writer = Callable[[object, dict[str, object]], dict[str, object]]


def reader(table: Sequence[Entry], check: Check) -> Reader:
    """Return a function that parses a document, applies the rules and calls ``make``.

    ``make`` gets the attributes. Before that, ``check`` gets all problems. Arguments that are no
    fields are passed on.
    """
    known: dict[str, object] = {"check": check}
    lines = ["version, problems = 1, []"]
    attributes = ["version"]
    bounded: tuple[str, ...] = ()
    for number, entry in enumerate(table):
        if isinstance(entry, Rule):
            known[f"judge{number}"] = entry.judge
            names = ", ".join(entry.attributes)
            lines.append(f"{names} = judge{number}({names}, problems)")
            continue
        if isinstance(entry, Bound):
            known[f"allows{number}"] = entry.allows
            lines.append(f"allowed = allows{number}(document, problems)")
            bounded = entry.names
            continue
        known |= {f"parse{number}": entry.parse, f"absent{number}": entry.absent}
        read = f"parse{number}(document.get({entry.name!r}), problems)"
        conditions = ["allowed"] if entry.name in bounded else []
        if not entry.required:
            conditions.append(f"{entry.name!r} in document")
        if conditions:
            read += f" if {' and '.join(conditions)} else absent{number}"
        lines.append(f"{entry.attribute} = {read}")
        if entry.since > 1:
            used = f"if {entry.attribute} != absent{number}"
            lines.append(f"{used}: version = max(version, {entry.since})")
        attributes.append(entry.attribute)
    values = ", ".join(f"{attribute}={attribute}" for attribute in attributes)
    last = f"return make(id=id, submitted_at=submitted_at, {values})"
    parameters = "make, document, id, submitted_at"
    made: Reader = _function(parameters, [*lines, "check(document, problems)", last], known)
    return made


def writer(always: Sequence[MailField], if_used: Sequence[MailField] = ()) -> Writer:
    """Return a function that adds fields as JSON: the first always, the second if they are used."""
    known: dict[str, object] = {}
    lines = []
    optional = [field.name for field in if_used]
    for number, field in enumerate((*always, *if_used)):
        value = f"mail.{field.attribute}"
        condition = f"if {value} != absent{number}: " if field.name in optional else ""
        known |= {f"encode{number}": field.encode, f"absent{number}": field.absent}
        written = value if field.encode is None else f"encode{number}({value})"
        lines.append(f"{condition}document[{field.name!r}] = {written}")
    made: Writer = _function("mail, document", [*lines, "return document"], known)
    return made


def _function(parameters: str, lines: Iterable[str], known: dict[str, object]) -> Any:  # noqa: ANN401 - as its source has it
    source = "\n    ".join([f"def composed({parameters}):", *lines])
    exec(source, known)  # noqa: S102 - the source holds only our own names, see above
    return known["composed"]
