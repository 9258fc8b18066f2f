"""Functions over the fields of a mail, composed once: every mail goes through them.

They are written as source, as those of a dataclass are, for a loop over the fields costs a
multiple. Nothing of a client's gets into the source, only the names that the table holds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from limbo.domain.mail.field import MailField, Problems, Rule

Reader = Callable[..., Any]
Check = Callable[[Mapping[str, object], Problems], None]
Writer = Callable[[object, dict[str, object]], dict[str, object]]


def reader(table: Sequence[MailField | Rule], check: Check) -> Reader:
    """Return what reads a document, applies the rules, and calls ``make`` with the attributes.

    ``check`` is called with all problems before. What the mail has beside the fields is passed on.
    """
    known: dict[str, object] = {"check": check}
    lines = ["version, problems = 1, []"]
    attributes = ["version"]
    for number, entry in enumerate(table):
        if isinstance(entry, Rule):
            known[f"judge{number}"] = entry.judge
            names = ", ".join(entry.attributes)
            lines.append(f"{names} = judge{number}({names}, problems)")
            continue
        known |= {f"parse{number}": entry.parse, f"absent{number}": entry.absent}
        read = f"parse{number}(document.get({entry.name!r}), problems)"
        if not entry.required:
            read += f" if {entry.name!r} in document else absent{number}"
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
    """Return what adds fields to a document as JSON: the first always, the second if used."""
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
    exec(source, known)  # noqa: S102 - of our own names alone, see above
    return known["composed"]
