"""What a kind of sender declares of itself, beside its code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from limbo.ports.sender import Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderVariable:
    """One variable of a kind; ``name`` is its last part, as ``key`` is of LIMBO_MAILGUN_KEY.

    ``parse`` returns the value that is built with; the text of its ValueError ends the sentence
    "LIMBO_… must be …". ``original`` is the name that the first limbo read.
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
    """What one sender is built with: ``values`` holds its variables, by their names.

    A variable that is not set and has no default is not among them. ``pool_size`` is how many
    sends may be under way at once, and ``timeout`` how many seconds the provider has to answer.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    pool_size: int = 64
    timeout: float = 10.0
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderKind:
    """A kind of sender: what LIMBO_SENDERS calls it, its variables, and how one is built.

    ``build`` calls nobody yet, and raises SettingsError for what no sender can be built with. It
    is the place to import the kind's libraries: a process that has no such sender needs none.
    ``implied_by`` names the variable that asks for this sender where LIMBO_SENDERS is not set. A
    sender that ``is_fake`` sends nothing anywhere.
    """

    name: str
    build: Callable[[SenderOptions], Sender]
    variables: Sequence[SenderVariable] = ()
    implied_by: str | None = None
    is_fake: bool = False


@runtime_checkable
class Closable(Protocol):
    """A sender that holds connections, and is to be closed when the process ends."""

    def close(self) -> None:
        """Close the connections that are idle."""
        ...
