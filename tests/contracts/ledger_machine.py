"""Writes any events into a ledger and compares it with a plain model: the contract's machine."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from limbo.domain.delivery.lifecycle import End, Start, StartReply, Status, Stop
from limbo.domain.delivery.verdict import Accepted, Attempt, Failed, Fault
from limbo.ports.ledger_reader import Query

if TYPE_CHECKING:
    from tests.contracts.ledger import LedgerRig

CLIENTS = ("", "shop")
SKEWS = (0.0, 60.25, -60.5)  # of workers' clocks; never twice the same time
_any = st.integers(0, 1000)  # picks one of what there is


@dataclass
class Model:
    """What a mail's entry must say: which attempts are open, and which has come to what."""

    client: str
    status: Status = Status.QUEUED
    last: float | None = None
    open: list[float] = field(default_factory=list)
    closed: dict[float, str] = field(default_factory=dict)
    duplicate: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """Workers touch mails, die amid it, come late; clients cancel and operators redrive."""

    def __init__(self, rig: "LedgerRig") -> None:
        super().__init__()
        self.rig = rig
        self.mails: dict[str, Model] = {}

    @rule(client=st.sampled_from(CLIENTS))
    def submit(self, client: str) -> None:
        self.rig.elapse(1)
        mail = self.rig.submit(client)
        self.mails[mail.id] = Model(client)

    @precondition(lambda self: self.mails)
    @rule(index=_any, skew=st.sampled_from(SKEWS))
    def begin(self, index: int, skew: float) -> None:
        id_, model = self._pick(index)
        self.rig.elapse(1)
        at = self.rig.now() + skew
        [begun] = self.rig.ledger.write([Start(mail_id=id_, sender="ses", started_at=at)])
        if model.status in (Status.SENT, Status.CANCELLED):
            sent = model.status is Status.SENT
            assert begun == StartReply(Stop.ALREADY_SENT if sent else Stop.CANCELLED)
            return
        model.duplicate = model.duplicate or bool(model.open)
        assert begun == StartReply(possible_duplicate=model.duplicate)
        model.open.append(at)
        model.last = at
        model.status = Status.SENDING

    @precondition(lambda self: any(model.open for model in self.mails.values()))
    @rule(
        index=_any,
        which=_any,
        status=st.sampled_from([Status.SENT, Status.DEFERRED, Status.DEAD, Status.SENDING]),
    )
    def end(self, index: int, which: int, status: Status) -> None:
        """End any attempt that is open: the last one, or that of a worker thought dead."""
        touched = [item for item in sorted(self.mails.items()) if item[1].open]
        id_, model = touched[index % len(touched)]
        at = model.open[which % len(model.open)]
        accepted = status is Status.SENT
        verdict = Accepted("x") if accepted else Failed(Fault.OUTAGE, "no")
        attempt = Attempt(sender="ses", started_at=at, duration=0.5, verdict=verdict)
        self.rig.ledger.write([End(mail_id=id_, status=status, at=at + 0.5, attempts=[attempt])])
        model.open.remove(at)
        model.closed[at] = "x" if accepted else "no"
        if accepted or (not model.status.is_final and at == model.last):
            model.status = status

    @precondition(lambda self: self.mails)
    @rule(index=_any)
    def defer(self, index: int) -> None:
        """End a touch that called nobody."""
        id_, model = self._pick(index)
        self.rig.ledger.write([End(mail_id=id_, status=Status.DEFERRED, at=self.rig.now())])
        if not model.status.is_final:
            model.status = Status.DEFERRED

    @precondition(lambda self: self.mails)
    @rule(index=_any)
    def cancel(self, index: int) -> None:
        id_, model = self._pick(index)
        if model.status in (Status.QUEUED, Status.DEFERRED):
            model.status = Status.CANCELLED
        assert self.rig.ledger_reader.cancel(id_, model.client) is model.status

    @precondition(lambda self: self.mails)
    @rule(limit=st.integers(1, 5))
    def purge(self, limit: int) -> None:
        """Forget what was submitted until now, and is final, oldest first."""
        after = self.rig.now() + 1
        count = self.rig.ledger.purge(bodies_before=0, records_before=after, limit=limit)
        final = [id_ for id_ in sorted(self.mails) if self.mails[id_].status.is_final][:limit]
        assert count == len(final)
        for id_ in final:
            del self.mails[id_]

    @invariant()
    def every_entry_is_as_the_model(self) -> None:
        for id_, model in self.mails.items():
            record = self.rig.ledger_reader.find(id_, model.client)
            assert record is not None
            assert (record.status, record.possible_duplicate) == (model.status, model.duplicate)
            tries = {
                t.started_at: None if t.attempt is None else t.attempt.verdict
                for t in record.attempts
            }
            assert [at for at, verdict in tries.items() if verdict is None] == sorted(model.open)
            assert {at for at, verdict in tries.items() if verdict} == set(model.closed)

    @invariant()
    def pages_hold_what_the_model_holds(self) -> None:
        for client in (None, *CLIENTS):
            for status in (None, Status.SENDING, Status.DEAD):
                page = self.rig.ledger_reader.page(Query(client=client, status=status, limit=100))
                assert [record.id for record in page] == [
                    id_
                    for id_ in sorted(self.mails, reverse=True)
                    if client in (None, self.mails[id_].client)
                    and status in (None, self.mails[id_].status)
                ]

    def teardown(self) -> None:
        self.rig.close()

    def _pick(self, index: int) -> tuple[str, Model]:
        id_ = sorted(self.mails)[index % len(self.mails)]
        return id_, self.mails[id_]
