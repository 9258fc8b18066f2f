"""What is known of an address, and how it is erased.

The ledger is erased last, so that whatever is left when this is stopped is found again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from limbo.ports.dead_letters import AddressedLetters, DeadLetters
from limbo.ports.erasure import AddressedMail, Erased, Erasure
from limbo.ports.ledger_reader import LedgerReader

_STEP = 200  # mails in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What names an address: mails in the ledger, and dead letters."""

    address: str
    mails: Sequence[AddressedMail]
    letters: AddressedLetters

    @property
    def waiting(self) -> Sequence[AddressedMail]:
        """The mails that may still be sent."""
        return [mail for mail in self.mails if not mail.status.is_final]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What was done. ``left`` are the mails that may still be sent, and what came since."""

    cancelled: int
    dropped: int
    erased: Erased
    left: Sequence[AddressedMail]
    stays: str | None


class Forgetting:
    """Finds and erases what is known of an address. Without a ledger, the dead letters alone."""

    def __init__(
        self,
        dead_letters: DeadLetters,
        ledger_reader: LedgerReader | None,
        erasure: Erasure | None,
    ) -> None:
        self._dead_letters = dead_letters
        self._ledger_reader = ledger_reader
        self._erasure = erasure

    def find(self, address: str) -> Found:
        """Look for the address, in its ASCII form and any case."""
        mails = self._erasure.find(address) if self._erasure else []
        return Found(address=address, mails=mails, letters=self._dead_letters.of_address(address))

    def forget(self, found: Found, *, cancel: bool) -> Forgotten:
        """Erase what was found. With ``cancel``, first cancel what may still be sent.

        What is left is looked for again: since then mails may have come, or have been redriven.
        """
        cancelled = [mail.id for mail in found.waiting if cancel and self._cancel(mail.id)]
        ids = [mail.id for mail in found.mails if mail.status.is_final] + cancelled
        # A letter may be unreadable, and the ledger may not know that its mail is dead.
        dropped = self._dead_letters.drop([*found.letters.ids, *ids])
        erased, stays = Erased(), None
        left: Sequence[AddressedMail] = []
        if self._erasure is not None:
            for start in range(0, len(ids), _STEP):
                erased += self._erasure.erase(ids[start : start + _STEP])
            stays = self._erasure.overwrite()
            left = self._erasure.find(found.address)
        return Forgotten(
            cancelled=len(cancelled), dropped=dropped, erased=erased, left=left, stays=stays
        )

    def _cancel(self, id_: str) -> bool:
        reader = self._ledger_reader
        status = None if reader is None else reader.cancel(id_, None)
        return status is not None and status.is_final
