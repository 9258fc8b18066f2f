"""The kinds of fields: a text, an address, a list of addresses."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from limbo.domain.errors import Problem
from limbo.domain.mail.address import Address, parse_address
from limbo.domain.mail.field import JsonSchema, MailField, Problems

MAX_ENTRIES = 100  # in one field, repeats included; more would only cost time
_LEAST_PRIVATE = 4  # characters; a shorter text may stand in any answer by chance
_MAX_LINES = 1000
_LINES_AT_ONCE = 16_384  # characters

# There are many recipients and few From addresses. The limit keeps clients from filling the memory.
_known_from = lru_cache(maxsize=1024)(parse_address)
_MAX_KNOWN = 320


def text(
    name: str,
    *,
    problem: Callable[[str], str | None],
    request: JsonSchema,
    shown: JsonSchema | None,
    **facts: Any,  # noqa: ANN401 - the rest of MailField
) -> MailField:
    """Describe a text field. ``problem`` says what is wrong with a text that is not empty."""
    required = facts.get("required", False)

    def parse(value: object, problems: Problems) -> str:
        if isinstance(value, str) and value:
            found = problem(value)
            if found is None:
                return value
            detail = f"{name}: {found}"
        elif value is not None and value != "":
            detail = f"{name}: must be a string, not {kind_of(value)}"
        elif required:
            detail = f"no {name} defined"
        else:
            return ""
        problems.append(Problem(pointer=f"/{name}", detail=detail))
        return ""

    return MailField(
        name=name,
        parse=parse,
        encode=None,
        private=private_lines,
        absent="",
        request={"type": "string", **request},
        shown=shown,
        **facts,
    )


def address(name: str, *, request: JsonSchema, shown: JsonSchema, **facts: Any) -> MailField:  # noqa: ANN401
    """Describe a required field with one address."""

    def parse(value: object, problems: Problems) -> Address | None:
        if value is None or value == "":
            detail = f"no {name} defined"
        elif not isinstance(value, str):
            detail = f"{name}: must be a string, not {kind_of(value)}"
        else:
            try:
                return (_known_from if len(value) <= _MAX_KNOWN else parse_address)(value)
            except ValueError as error:
                detail = f"{name}: {error}"
        problems.append(Problem(pointer=f"/{name}", detail=detail))
        return None

    return MailField(
        name=name,
        parse=parse,
        encode=Address.__str__,
        private=private_address,
        absent=None,
        request=request,
        shown=shown,
        required=True,
        **facts,
    )


def addresses(
    name: str,
    *,
    request: JsonSchema,
    shown: JsonSchema,
    missing: str | None = None,
    **facts: Any,  # noqa: ANN401
) -> MailField:
    """Describe a field with one address or a list. ``missing`` is the problem if it is required."""

    def parse(value: object, problems: Problems) -> tuple[Address, ...]:
        if not value and value in (None, "", []):
            if missing:
                problems.append(Problem(pointer=f"/{name}", detail=missing))
            return ()
        items = value if isinstance(value, list) else [value]
        if len(items) > MAX_ENTRIES:
            detail = f"{name}: {len(items)} entries; at most {MAX_ENTRIES} are allowed"
            problems.append(Problem(pointer=f"/{name}", detail=detail))
            return ()
        found: dict[str, Address] = {}
        for index, item in enumerate(items):
            if isinstance(item, str):
                try:
                    read = parse_address(item)
                except ValueError as error:
                    problem = str(error)
                else:
                    found.setdefault(read.email, read)
                    continue
            else:
                expected = "a string" if items is value else "a string or a list of strings"
                problem = f"must be {expected}, not {kind_of(item)}"
            pointer, at = (f"/{index}", f"[{index}]") if items is value else ("", "")
            problems.append(Problem(pointer=f"/{name}{pointer}", detail=f"{name}{at}: {problem}"))
        return tuple(found.values())

    return MailField(
        name=name,
        parse=parse,
        encode=lambda value: [str(each) for each in value],
        private=lambda value: (word for each in value for word in private_address(each)),
        absent=(),
        request=request,
        shown=shown,
        required=missing is not None,
        **facts,
    )


def private_address(value: Address) -> Iterator[str]:
    """Yield an address, its form in a URL, and its name."""
    yield value.email
    yield value.email.replace("@", "%40")
    if len(value.name) >= _LEAST_PRIVATE:
        yield value.name


def private_lines(value: str) -> Iterator[str]:
    """Yield the lines of a text, except very short ones."""
    lines = (line.strip() for line in _lines(value))
    return islice((line for line in lines if len(line) >= _LEAST_PRIVATE), _MAX_LINES)


def _lines(value: str) -> Iterator[str]:
    """Yield the lines; of a text of megabytes, no more are made than are read."""
    start = 0
    while start < len(value):
        end = value.find("\n", start + _LINES_AT_ONCE) + 1 or len(value)
        yield from value[start:end].splitlines()
        start = end


def kind_of(value: object) -> str:
    """Return the name of the value's type in JSON."""
    match value:
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case None:
            return "null"
        case _:
            return "a string"
