"""Everything limbo raises on purpose.

LimboError
├── InvalidMail         a mail breaks its rules; carries every problem found
├── QueueUnavailable    the queue did not answer, or answered that it cannot
├── LedgerUnavailable   the ledger or the key store did not
└── SettingsError       the environment says something limbo cannot start with
"""

from collections.abc import Sequence
from dataclasses import dataclass


class LimboError(Exception):
    """The root of the tree: catch it to catch all that limbo raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One broken rule: where, as an RFC 6901 pointer into the document, and what would be right.

    ``detail`` names the field by itself, and never repeats what the field held.
    """

    pointer: str
    detail: str


class InvalidMail(LimboError):  # noqa: N818 - a name of the domain, read in sentences
    """The document is no mail: ``problems`` holds all that is wrong with it, in a fixed order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.detail for problem in problems))
        self.problems = tuple(problems)


class QueueUnavailable(LimboError):  # noqa: N818 - a state of the queue, not a mistake
    """The queue cannot be used now: nothing of the call can be assumed to have happened."""


class LedgerUnavailable(LimboError):  # noqa: N818 - a state of the ledger, not a mistake
    """The ledger, or the store of keys, cannot be used now."""


class SettingsError(LimboError):
    """One line that says which variable is wrong and what it should be."""
