"""What an admin did: who, from where, to what, how many, and when."""

from dataclasses import dataclass
from enum import StrEnum

MAX_SELECTION = 1000


class Action(StrEnum):
    """What admins do; its values go to logs and to the audit."""

    CREATE_KEY = "keys.create"
    UPDATE_KEY = "keys.update"
    REVOKE_KEY = "keys.revoke"
    REDRIVE = "dead-letters.redrive"
    DROP = "dead-letters.drop"
    CANCEL = "mail.cancel"
    FORGET = "forget"


class Result(StrEnum):
    """How an action ended."""

    BEGUN = "begun"
    """It is under way; or its process died, and it may be done in part."""
    DONE = "done"
    FAILED = "failed"
    """It ended early, and may be done in part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and from where.

    ``who`` is ``key:<id>``, ``user:<name in the operating system>`` or ``anonymous``. ``origin`` is
    the address of the client's machine, or ``command@<host>``.
    """

    who: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One action of an admin. ``at`` is when it began, in seconds since the epoch.

    ``selection`` says what it was to change, in JSON, cut at MAX_SELECTION characters; an address
    in it is a hash. ``count`` is how much it has changed: keys, mails or dead letters. It is None
    as long as nobody knows. ``action`` is an Action, or one that only a newer limbo knows.
    """

    id: str
    at: float
    actor: Actor
    action: str
    selection: str
    result: Result = Result.BEGUN
    count: int | None = None
