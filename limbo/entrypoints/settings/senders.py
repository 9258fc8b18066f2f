"""Reads which senders there are, and the variables of each."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from limbo.domain.errors import SettingsError
from limbo.entrypoints.settings.catalogue import sender_variable
from limbo.entrypoints.settings.environment import Environment
from limbo.entrypoints.settings.variables import SENDERS, Variable
from limbo.ports.sender_kind import SenderKind, SenderVariable

_SENDER_NAME = re.compile(r"([a-z]+)(?:\.([a-z0-9]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """One sender; ``values`` are its variables' values, by their names within the kind."""

    kind: SenderKind
    label: str = ""
    values: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """Its name in logs and metrics: ``mailgun.eu``."""
        return f"{self.kind.name}.{self.label}" if self.label else self.kind.name

    @property
    def variables(self) -> Iterator[str]:
        """The names of its variables."""
        return (sender_variable(self.kind, own, self.label).name for own in self.kind.variables)


def read_senders(env: Environment, kinds: Sequence[SenderKind]) -> tuple[SenderSettings, ...]:
    """Read the senders of LIMBO_SENDERS; if it is not set, those whose variables are set."""
    named = env.read(SENDERS, _sender_names({kind.name: kind for kind in kinds}))
    if named is None:
        named = [(kind, "") for kind in kinds if any(env.has(v) for v in _implying(kind))]
    return tuple(_read_sender(env, kind, label) for kind, label in named)


def missing_senders(kinds: Sequence[SenderKind]) -> SettingsError:
    """Return the error for a process that must send mails and has no sender."""
    ways = (
        " and ".join(
            sender_variable(kind, own).name
            for own in kind.variables
            if own.required or own.name == kind.implied_by
        )
        for kind in kinds
        if kind.implied_by
    )
    return SettingsError(
        f"{SENDERS.name} must name a sender, or the settings of one must be there"
        f" ({'; '.join(ways)})"
    )


def _implying(kind: SenderKind) -> Iterator[Variable]:
    return (sender_variable(kind, own) for own in kind.variables if own.name == kind.implied_by)


def _sender_names(
    kinds: Mapping[str, SenderKind],
) -> Callable[[str], Sequence[tuple[SenderKind, str]]]:
    def parse(value: str) -> Sequence[tuple[SenderKind, str]]:
        names = []
        for item in value.split(","):
            found = _SENDER_NAME.fullmatch(item.strip())
            if found is None or found[1] not in kinds:
                raise ValueError(f"a list of {', '.join(kinds)}, each perhaps with a .label")
            names.append((found[1], found[2] or ""))
        if len(set(names)) < len(names):
            raise ValueError("a list without repeats; label several of a kind: fake.a,fake.b")
        return [(kinds[name], label) for name, label in names]

    return parse


def _read_sender(env: Environment, kind: SenderKind, label: str) -> SenderSettings:
    values = {}
    for own in kind.variables:
        value = _read_value(env, kind, own, label)
        if value is not None:
            values[own.name] = value
    return SenderSettings(kind=kind, label=label, values=values)


def _read_value(env: Environment, kind: SenderKind, own: SenderVariable, label: str) -> str | None:
    variable = sender_variable(kind, own, label)
    fallback = sender_variable(kind, own) if label else None
    value = env.read(variable, own.parse, fallback=fallback)
    if value is None and own.required:
        name = f"{kind.name}.{label}" if label else kind.name
        raise SettingsError(f"{variable.name} must be set for {name}: {own.meaning}")
    return value
