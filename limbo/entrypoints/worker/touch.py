"""One touch of one mail by a worker: asked before each call, and translated into a settlement."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from limbo.domain.delivery.dispatch import Dead, Deferred, Outcome, Sent, Stopped
from limbo.domain.delivery.lifecycle import End, Start, Status, Stop
from limbo.domain.delivery.verdict import Attempt
from limbo.domain.errors import LedgerUnavailable
from limbo.entrypoints.worker.settler import Ack, Bury, Defer, Settlement
from limbo.ports.ledger import Ledger
from limbo.ports.queue import Death, Lease

_NO_LEDGER_DELAY = 10.0


class Touch:
    """Permits calls while the lease is held and the ledger agrees, and remembers what it said."""

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
        """Record that a provider is about to be called; say why it may not, if it may not."""
        if not self._holds(self.lease):
            return Stop.LEASE_LOST
        mail_id = self.lease.mail.id
        start = Start(mail_id=mail_id, sender=sender, started_at=started_at)
        news = earlier[self._told :]
        try:
            # What is over is told with what begins, or it would look unfinished.
            *_, begun = self._ledger.write([*self._attempts(news), start])
        except LedgerUnavailable:
            return Stop.NO_LEDGER
        self._told = len(earlier)
        if begun is None:  # pragma: no cover - each Start is answered
            raise AssertionError(start)
        if begun.possible_duplicate is not None:
            # The ledger knows better than a queue that only counts its receives.
            self.lease = replace(self.lease, possible_duplicate=begun.possible_duplicate)
        return begun.stop

    def settlement(self, outcome: Outcome) -> Settlement:
        """Return what ledger and queue are to be told."""
        match outcome:
            case Sent():
                return self._settle(Ack(), Status.SENT, outcome)
            case Deferred(delay=delay, touched=touched, possible_duplicate=duplicate):
                self._mark(possible_duplicate=duplicate)
                self.lease = replace(self.lease, touches=self.lease.touches + touched)
                return self._settle(Defer(delay), Status.DEFERRED, outcome)
            case Dead(cause=cause, possible_duplicate=duplicate):
                self._mark(possible_duplicate=duplicate)
                death = Death(cause=cause, attempts=outcome.attempts)
                return self._settle(Bury(death), Status.DEAD, outcome)
            case Stopped():
                return self._stopped(outcome)
            case _:
                assert_never(outcome)

    def _stopped(self, outcome: Stopped) -> Settlement:
        match outcome.why:
            case Stop.LEASE_LOST:
                return self._settle(None, Status.SENDING, outcome)
            case Stop.ALREADY_SENT:
                return self._settle(Ack(), Status.SENDING, outcome)
            case Stop.CANCELLED:
                return self._settle(Ack(), Status.CANCELLED, outcome)
            case Stop.NO_LEDGER:
                return self._settle(Defer(_NO_LEDGER_DELAY), Status.DEFERRED, outcome)
            case _:
                assert_never(outcome.why)

    def _settle(
        self, action: Ack | Defer | Bury | None, status: Status, outcome: Outcome
    ) -> Settlement:
        untold = outcome.attempts[self._told :]
        if isinstance(outcome, Stopped) and not untold:
            # The ledger has no news from us, and may not be there to hear that.
            return Settlement(lease=self.lease, action=action)
        now = self._now()
        end = End(
            mail_id=self.lease.mail.id,
            status=status,
            at=now,
            attempts=untold,
            cause=outcome.cause if isinstance(outcome, Dead) else None,
            next_at=now + action.delay if isinstance(action, Defer) else None,
            possible_duplicate=self.lease.possible_duplicate,
        )
        return Settlement(lease=self.lease, action=action, end=end)

    def _attempts(self, attempts: Sequence[Attempt]) -> Sequence[End]:
        if not attempts:
            return ()
        mail_id = self.lease.mail.id
        return (End(mail_id=mail_id, status=Status.SENDING, at=self._now(), attempts=attempts),)

    def _mark(self, *, possible_duplicate: bool) -> None:
        if possible_duplicate and not self.lease.possible_duplicate:
            self.lease = replace(self.lease, possible_duplicate=True)
