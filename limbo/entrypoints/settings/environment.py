"""Reads variables, and remembers where each value comes from."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from limbo.domain.errors import SettingsError
from limbo.entrypoints.settings.service_links import without_service_links
from limbo.entrypoints.settings.variables import PREFIX, Variable

T = TypeVar("T")
_SECRETIVE = re.compile(r":[^@]*@|password", re.IGNORECASE)  # as in a URL or DSN with a mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value in force: as an operator sees it, and the variable or default it comes from."""

    name: str
    shown: str
    source: str


class Environment:
    """Reads variables, and remembers for ``limbo check`` what it has read."""

    def __init__(self, environ: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        """``defaults``, by name, take precedence over the defaults of the variables."""
        self._environ = without_service_links(environ)
        self._defaults = defaults
        self.readings: list[Reading] = []

    def has(self, variable: Variable) -> bool:
        """Say whether the variable is set, and not empty, under one of its names."""
        return self._find(variable) is not None

    def read(
        self, variable: Variable, parse: Callable[[str], T], fallback: Variable | None = None
    ) -> T | None:
        """Return the parsed value of the variable, or of ``fallback``, or of the default.

        Raises SettingsError with the variable's name, and what ``parse`` says it must be.
        """
        found = self._find(variable) or (self._find(fallback) if fallback else None)
        default = self._defaults.get(variable.name, variable.default)
        source, text = found or ("default", default)
        if text is None:
            self.readings.append(Reading(name=variable.name, shown="-", source="not set"))
            return None
        shown = "********" if variable.secret else _without_password(text)
        self.readings.append(Reading(name=variable.name, shown=shown, source=source))
        try:
            return parse(text)
        except ValueError as error:
            got = "" if variable.secret else f", not {_without_password(text)!r}"
            msg = f"{source if found else variable.name} must be {error}{got}"
            raise SettingsError(msg) from None

    def need(self, variable: Variable, parse: Callable[[str], T]) -> T:
        """Return the parsed value of a variable that has a default."""
        value = self.read(variable, parse)
        if value is None:
            msg = f"{variable.name} must be set: {variable.meaning}"
            raise SettingsError(msg)
        return value

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise SettingsError for an unknown LIMBO_ variable; it names a known one that is near."""
        names = {name.removeprefix(PREFIX) for name in known}
        for name in self._environ:
            own = name.removeprefix(PREFIX)
            if own != name and own not in names:
                near = difflib.get_close_matches(own, names, n=1)
                advice = f"did you mean {PREFIX}{near[0]}?" if near else "the README lists them all"
                raise SettingsError(f"{name} is no setting of limbo; {advice}")

    def _find(self, variable: Variable) -> tuple[str, str] | None:
        for name in (variable.name, variable.original):
            if name is not None and (text := self._environ.get(name, "").strip()):
                return name, text
        return None


def _without_password(text: str) -> str:
    """Mask the password of a URL, and each other part that may hold one."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return "(not shown)" if _SECRETIVE.search(text) else text
    # The last @, before the query is sought: a password that is not encoded may hold both.
    _, at, rest = rest.rpartition("@")
    rest, query, _ = rest.partition("?")
    return f"{scheme}://{'***@' if at else ''}{rest}{'?***' if query else ''}"
