"""The list of all variables, including those of the backends and the kinds of senders."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from limbo.entrypoints.settings.backend import BackendRules
from limbo.entrypoints.settings.variables import PREFIX, SENDERS, VARIABLES, Variable
from limbo.ports.sender_kind import SenderKind, SenderVariable


def every_variable(
    backends: Sequence[BackendRules], kinds: Sequence[SenderKind]
) -> Iterator[Variable]:
    """Yield all variables in the order of the README, without those of labelled senders."""
    for variable in VARIABLES:
        yield describe(variable, backends, kinds)
        if variable is SENDERS:
            for kind in kinds:
                yield from (sender_variable(kind, own) for own in kind.variables)


def describe(
    variable: Variable, backends: Sequence[BackendRules], kinds: Sequence[SenderKind]
) -> Variable:
    """Return the variable with its meaning filled in."""
    *forms, last_form = (backend.form for backend in backends)
    meaning = variable.meaning.format(
        queues=f"{', '.join(forms)}, or {last_form}",
        ledgers=", ".join(f"`{b.schemes[0]}…`" for b in backends if b.holds_ledger and b.shared),
        without_ledger=", ".join(b.name.upper() for b in backends if not b.holds_ledger),
        senders=", ".join(f"`{kind.name}`" for kind in kinds),
    )
    return replace(variable, meaning=meaning)


def sender_variable(kind: SenderKind, own: SenderVariable, label: str = "") -> Variable:
    """Return a variable of a sender: LIMBO_MAILGUN_KEY, or LIMBO_MAILGUN_EU_KEY of mailgun.eu."""
    parts = (kind.name, label, own.name) if label else (kind.name, own.name)
    return Variable(
        name=PREFIX + "_".join(parts).upper(),
        meaning=own.meaning,
        default=own.default,
        original=None if label else own.original,
        secret=own.secret,
    )


def readme_row(variable: Variable) -> str:
    """Return the variable's row in the README's table of settings."""
    original = f"`{variable.original}`" if variable.original else ""
    default = f"`{variable.default}`" if variable.default else "–"
    return f"| `{variable.name}` | {original} | {variable.meaning} | {default} |"
