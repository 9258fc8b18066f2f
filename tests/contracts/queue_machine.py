"""Calls a queue in any order and compares it with sets of ids: the contract's state machine."""

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from limbo.domain.delivery.verdict import Cause, Death
from limbo.ports.queue import Kept, Lease
from tests.support.mails import a_mail

if TYPE_CHECKING:
    from tests.contracts.queue import Rig

DEATH = Death(cause=Cause(kind="outage", sender="fake.a", reason="connection refused"))
_any = st.integers(0, 1000)  # picks one of what there is


class QueueMachine(RuleBasedStateMachine):
    """Nothing is lost, nothing invented, nothing leased to two at once."""

    def __init__(self, rig: "Rig", lease_seconds: float) -> None:
        super().__init__()
        self.rig = rig
        self.lease_seconds = lease_seconds
        self.waiting: set[str] = set()
        self.leased: dict[str, Lease] = {}
        self.run_out: list[Lease] = []
        self.dead: set[str] = set()

    @rule(count=st.integers(1, 12))
    def put(self, count: int) -> None:
        mails = [a_mail() for _ in range(count)]
        assert self.rig.queue.put(mails) == [Kept()] * count
        self.waiting |= {mail.id for mail in mails}

    @rule(limit=st.integers(1, 25))
    def receive(self, limit: int) -> None:
        leases = self.rig.queue.receive(limit, 0)
        ids = {lease.mail.id for lease in leases}
        assert len(ids) == len(leases) == min(limit, len(self.waiting))
        assert ids <= self.waiting
        self.waiting -= ids
        self.leased |= {lease.mail.id: lease for lease in leases}

    @precondition(lambda self: self.leased)
    @rule(start=_any, count=st.integers(1, 12))
    def ack(self, start: int, count: int) -> None:
        leases = [self._settle(start) for _ in range(min(count, len(self.leased)))]
        assert self.rig.queue.ack(leases) == []

    @precondition(lambda self: self.leased)
    @rule(index=_any)
    def release(self, index: int) -> None:
        lease = self._settle(index)
        self.rig.queue.release(lease, 0)
        self.waiting.add(lease.mail.id)

    @precondition(lambda self: self.leased)
    @rule(index=_any)
    def bury(self, index: int) -> None:
        lease = self._settle(index)
        self.rig.queue.bury(lease, DEATH)
        self.dead.add(lease.mail.id)

    @precondition(lambda self: self.leased)
    @rule()
    def extend(self) -> None:
        """Prolong all leases past the time at which they would have run out."""
        self.rig.elapse(self.lease_seconds * 0.6)
        assert self.rig.queue.extend(list(self.leased.values())) == []
        self.rig.elapse(self.lease_seconds * 0.6)
        assert self.rig.queue.extend(list(self.leased.values())) == []

    @rule()
    def let_leases_run_out(self) -> None:
        self.rig.elapse(self.lease_seconds * 1.2)
        self.waiting |= set(self.leased)
        self.run_out += self.leased.values()
        self.leased.clear()

    @precondition(lambda self: self._taken_over())
    @rule(index=_any)
    def settle_another_s_mail(self, index: int) -> None:
        taken_over = self._taken_over()
        lease = taken_over[index % len(taken_over)]
        assert self.rig.queue.ack([lease]) == [lease]
        assert self.rig.queue.extend([lease]) == [lease]
        self.rig.queue.release(lease, 0)
        self.rig.queue.bury(lease, DEATH)

    @precondition(lambda self: self.dead)
    @rule(index=_any)
    def redrive(self, index: int) -> None:
        id_, name = self._dead_letter(index)
        assert self.rig.dead_letters.redrive([name]) == 1
        self.dead.remove(id_)
        self.waiting.add(id_)

    @precondition(lambda self: self.dead)
    @rule(index=_any)
    def drop(self, index: int) -> None:
        id_, name = self._dead_letter(index)
        assert self.rig.dead_letters.drop([name]) == 1
        self.dead.remove(id_)

    @invariant()
    def the_queue_is_as_deep_as_it_should_be(self) -> None:
        depth = self.rig.queue.depth()
        assert (depth.ready, depth.in_flight) == (len(self.waiting), len(self.leased))

    def teardown(self) -> None:
        try:
            self.let_leases_run_out()
            self.receive(len(self.waiting) + 1)
            assert not self.waiting
            assert {letter.mail_id for letter in self.rig.dead_letters.list(10_000)} == self.dead
        finally:
            self.rig.close()

    def _settle(self, index: int) -> Lease:
        return self.leased.pop(sorted(self.leased)[index % len(self.leased)])

    def _taken_over(self) -> list[Lease]:
        """Return the leases that ran out and whose mail somebody else has now."""
        return [lease for lease in self.run_out if lease.mail.id in self.leased]

    def _dead_letter(self, index: int) -> tuple[str, str]:
        id_ = sorted(self.dead)[index % len(self.dead)]
        names = {letter.mail_id: letter.id for letter in self.rig.dead_letters.list(10_000)}
        assert set(names) == self.dead
        return id_, names[id_]
