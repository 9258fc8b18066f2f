"""The tree of everything limbo raises on purpose.

An error that only one package raises is defined there, beside the code that raises it.

LimboError
├── InvalidMail              a mail breaks its rules; carries every problem found
├── SettingsError            limbo cannot start with these settings
├── QueueUnavailable         the queue did not answer, or answered with an error
├── LedgerUnavailable        the same of the ledger
├── AuditUnavailable         the same of the audit: then nothing is done that belongs into it
├── ApiKeysUnavailable       the same of the store of API keys, or a key in it cannot be read
├── SecretsUnavailable       the same of the store of the installation's own secrets
├── StoreUnavailable         a store cannot be opened now; it may be later
├── DatabaseUnavailable      the same of a database; each port turns it into one of these four
│   └── CommitInDoubt        it was asked to commit, and may have done so
├── SealKeyMissing           a stored mail is encrypted under a key that is not there
├── SealBroken               a stored mail was altered since it was encrypted
├── NotSent                  a request to a provider was not written in full
├── ResponseLost             the request was, but no complete response came
├── HttpRefusal              a request is refused; this becomes the response
├── ClientGone               the client left before its request was complete
├── Overloaded               too many calls are under way
└── NotJson                  a body is no JSON object
    ├── _ConstantError       it holds NaN or an infinity
    └── _DuplicateError      it gives a name twice in one object
"""

from collections.abc import Sequence
from dataclasses import dataclass


class LimboError(Exception):
    """The root of the tree. Catch it to catch all that limbo raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One broken rule: an RFC 6901 pointer to the place, and what would be right.

    ``detail`` names the field, and never repeats the field's value.
    """

    pointer: str
    detail: str


class InvalidMail(LimboError):  # noqa: N818 - a name of the domain, read in sentences
    """The document is no mail. ``problems`` holds what is wrong with it, in a fixed order.

    Of very many problems it holds the first, and one that says how many more there are. ``count``
    counts them all.
    """

    def __init__(self, problems: Sequence[Problem], count: int | None = None) -> None:
        super().__init__("; ".join(problem.detail for problem in problems))
        self.problems = tuple(problems)
        self.count = len(problems) if count is None else count


class QueueUnavailable(LimboError):  # noqa: N818 - a state of the queue, not a mistake
    """The queue cannot be used now. Assume nothing about what the call has done."""


class LedgerUnavailable(LimboError):  # noqa: N818 - a state of the ledger, not a mistake
    """The ledger cannot be used now."""


class AuditUnavailable(LimboError):  # noqa: N818 - a state of the audit, not a mistake
    """The audit cannot be written or read now."""


class ApiKeysUnavailable(LimboError):  # noqa: N818 - a state of the store, not a mistake
    """The store of API keys cannot be used now, or one of its keys cannot be read."""


class StoreUnavailable(LimboError):  # noqa: N818 - a state of the store, not a mistake
    """A store cannot be opened now, as nothing answers there. The settings may be right."""


class SecretsUnavailable(LimboError):  # noqa: N818 - a state of the store, not a mistake
    """The store of the installation's own secrets cannot be used now."""


class SealKeyMissing(LimboError):  # noqa: N818 - a state of the keys, not a mistake
    """The key with the name that is its text is not there."""


class SealBroken(LimboError):  # noqa: N818 - a state of the body, not a mistake
    """What was sealed under the key with the name that is its text cannot be opened by it."""


class SettingsError(LimboError):
    """One line that says which variable is wrong, and what it should be."""
