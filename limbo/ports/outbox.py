"""The ports of a submission: one step, whatever has to be written for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Kept, NotKept


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's own name for a submission, and the SHA-256 of what it submitted under it."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A mail and who submits it; ``client`` is empty for anybody."""

    mail: Mail
    client: str = ""
    idempotency: Idempotency | None = None


@dataclass(frozen=True, slots=True)
class KeptAs:
    """The mail is kept, under the id that its idempotency key stands for instead of its own."""

    mail_id: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same was submitted under the same key before, and is the mail of this id."""

    mail_id: str


class KeyConflict(Enum):
    """The key is another submission's."""

    REUSED = "reused"
    """Something else was submitted under it."""
    UNDER_WAY = "under way"
    """The first submission under it is not finished yet."""


SubmitResult = Kept | KeptAs | NotKept | Replayed | KeyConflict


class Outbox(Protocol):
    """Where submitted mails go; what is kept here will be sent, or dead with a reason."""

    def submit(self, submissions: Sequence[Submission]) -> list[SubmitResult]:
        """Keep the mails durably, and answer each submission, in order; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Reserved:
    """The mail is in the ledger, and is to be put into the queue under this id."""

    mail_id: str


class Reservations(Protocol):
    """The ledger's part of a submission whose queue lies elsewhere; raises LedgerUnavailable."""

    def reserve(self, submissions: Sequence[Submission]) -> list[Reserved | Replayed | KeyConflict]:
        """Enter the mails as SUBMITTING; no two of the submissions have the same key.

        What was reserved a minute ago and never concluded is reserved again, under its old id.
        """
        ...

    def conclude(self, *, kept: Sequence[Submission], refused: Sequence[Submission]) -> None:
        """Record what the queue said of the mails; those refused give their keys free."""
        ...
