"""The port through which a ledger forgets all about an address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from limbo.domain.delivery.lifecycle import Status


@dataclass(frozen=True, slots=True)
class AddressedMail:
    """A mail from or to an address, and its status."""

    id: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How much was erased: ``mails`` lost their addresses and subject, and all that hung on it."""

    mails: int = 0
    bodies: int = 0
    idempotency_keys: int = 0

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(
            mails=self.mails + other.mails,
            bodies=self.bodies + other.bodies,
            idempotency_keys=self.idempotency_keys + other.idempotency_keys,
        )


class Erasure(Protocol):
    """Erases mails of a ledger. Its methods raise LedgerUnavailable."""

    def find(self, address: str) -> Sequence[AddressedMail]:
        """Return the mails from or to this address, in its ASCII form and in any case."""
        ...

    def erase(self, ids: Sequence[str]) -> Erased:
        """Erase what is known of these mails but for their status, in one step.

        It leaves a mail alone that is not final. Bodies, all addresses, the subject and the
        idempotency keys go. A mail that a worker may still have stays known as cancelled.
        """
        ...

    def overwrite(self) -> str | None:
        """Overwrite what erasing has left on the disk. Return what stays there, if anything."""
        ...
