"""What a kind of sender declares about itself, beside its code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from limbo.ports.sender import Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderVariable:
    """One variable of a kind. ``name`` is its last part: ``key`` for LIMBO_MAILGUN_KEY.

    ``parse`` returns the value for ``build``. The text of its ValueError ends the sentence "LIMBO_…
    must be …". ``original`` is the name that the first limbo read.
    """

    name: str
    meaning: str
    default: str | None = None
    original: str | None = None
    secret: bool = False
    required: bool = False
    parse: Callable[[str], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderOptions:
    """What one sender is built from. ``values`` holds its variables by name.

    A variable that is not set and has no default is missing in it. ``pool_size`` is how many sends
    may run at once. ``timeout`` is how many seconds the provider has to answer.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    pool_size: int = 64
    timeout: float = 10.0
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderKind:
    """A kind of sender: its name in LIMBO_SENDERS, its variables, and how to build one.

    ``build`` does not call the provider. It raises SettingsError if no sender can be built from the
    options. Import the kind's libraries in it, so that a process without such a sender does not
    load them. ``implied_by`` names the variable that enables this sender when LIMBO_SENDERS is not
    set. A sender with ``is_fake`` sends nothing anywhere.
    """

    name: str
    build: Callable[[SenderOptions], Sender]
    variables: Sequence[SenderVariable] = ()
    implied_by: str | None = None
    is_fake: bool = False


@runtime_checkable
class Closable(Protocol):
    """A sender that holds connections. It is closed when the process ends."""

    def close(self) -> None:
        """Close the idle connections."""
        ...
