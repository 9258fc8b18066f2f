"""One touch of one mail: before each call of a provider, the worker asks here."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from limbo.domain.delivery.lifecycle import End, Start, Status, Stop
from limbo.domain.delivery.outcome import Outcome
from limbo.domain.delivery.settlement import Settlement, settlement_of
from limbo.domain.delivery.verdict import Attempt
from limbo.domain.errors import LedgerUnavailable
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger import Ledger
from limbo.ports.queue import Lease


class Touch:
    """Permits a call while the lease is held and the ledger agrees.

    ``lease`` has what is known so far; after ``settlement``, it is the lease to settle.
    """

    def __init__(
        self,
        lease: Lease,
        *,
        ledger: Ledger,
        holds: Callable[[Lease], bool],
        now: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._holds = holds
        self._now = now
        self._told = 0
        self.lease = lease

    def permit(self, *, sender: str, started_at: float, earlier: Sequence[Attempt]) -> Stop | None:
        """Record that a provider is about to be called; return why it may not, or None."""
        if not self._holds(self.lease):
            return Stop.LEASE_LOST
        mail_id = self.lease.mail.id
        start = Start(mail_id=mail_id, sender=sender, started_at=started_at)
        try:
            # Attempts that have ended are recorded too, or they would look unfinished.
            *_, reply = self._ledger.write([*self._ended(earlier), start])
        except LedgerUnavailable:
            return Stop.NO_LEDGER
        self._told = len(earlier)
        if reply is None:  # pragma: no cover - each Start is answered
            raise AssertionError(start)
        if reply.possible_duplicate is not None:
            # The ledger knows this better than a queue that only counts how often it gave the mail.
            self.lease = replace(self.lease, possible_duplicate=reply.possible_duplicate)
        return reply.stop

    def settlement(self, outcome: Outcome) -> Settlement:
        """Return what to tell ledger and queue, for the outcome of the touch."""
        lease = self.lease
        settlement = settlement_of(
            outcome,
            mail_id=lease.mail.id if isinstance(lease.mail, Mail) else None,
            touches=lease.touches,
            possible_duplicate=lease.possible_duplicate,
            told=self._told,
            now=self._now(),
            evidence=lease.evidence,
        )
        self.lease = replace(
            lease,
            touches=settlement.touches,
            possible_duplicate=settlement.possible_duplicate,
            evidence=settlement.evidence,
        )
        return settlement

    def _ended(self, earlier: Sequence[Attempt]) -> Sequence[End]:
        news = earlier[self._told :]
        if not news:
            return ()
        mail_id = self.lease.mail.id
        return (End(mail_id=mail_id, status=Status.SENDING, at=self._now(), attempts=news),)
