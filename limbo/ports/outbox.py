"""The ports of a submission: one step that writes everything it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Kept, NotKept, Readiness


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's idempotency key, and the SHA-256 of what it submitted under that key."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A mail, the client that submits it, and the id of its API key.

    ``client`` is empty if nobody is named.
    """

    mail: Mail
    client: str = ""
    key: str | None = None
    idempotency: Idempotency | None = None


@dataclass(frozen=True, slots=True)
class KeptAs:
    """The mail is kept under the id that its idempotency key was first given, not under its own."""

    mail_id: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same was submitted before under the same idempotency key. This is the id of that mail."""

    mail_id: str


class KeyConflict(Enum):
    """The idempotency key belongs to another submission."""

    REUSED = "reused"
    """A different mail was submitted under the key."""
    UNDER_WAY = "under way"
    """The first submission under the key has not finished yet."""


SubmitResult = Kept | KeptAs | NotKept | Replayed | KeyConflict


class Outbox(Protocol):
    """Where submitted mails go. Each mail kept here gets sent, or becomes a dead letter."""

    def submit(self, submissions: Sequence[Submission]) -> list[SubmitResult]:
        """Keep the mails durably. Return a result for each submission, in order; never raise."""
        ...


@dataclass(frozen=True, slots=True)
class Reserved:
    """The mail is in the ledger, and now belongs into the queue under this id."""

    mail_id: str


class Reservations(Readiness, Protocol):
    """The ledger's part of a submission whose queue lies elsewhere. Raises LedgerUnavailable."""

    def reserve(self, submissions: Sequence[Submission]) -> list[Reserved | Replayed | KeyConflict]:
        """Enter the mails as SUBMITTING. No two submissions may have the same idempotency key.

        A mail reserved over a minute ago and never concluded is reserved again, under its old id.
        """
        ...

    def conclude(self, *, kept: Sequence[Submission], refused: Sequence[Submission]) -> None:
        """Record the queue's results. Free the idempotency keys of the mails that it refused."""
        ...
