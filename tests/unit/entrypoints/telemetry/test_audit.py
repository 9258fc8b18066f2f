import pytest
import structlog

from limbo.adapters.memory.audit_log import MemoryAuditLog
from limbo.domain.access.audit import MAX_SELECTION, Action, Result
from limbo.domain.errors import AuditUnavailable
from limbo.entrypoints.telemetry.audit import Audit
from limbo.ports.audit_log import AuditQuery
from tests.contracts.audit_log import KEY


class BrokenAuditLog(MemoryAuditLog):
    """An audit whose database goes away: before an action, or before its end."""

    def __init__(self, *, begins: bool) -> None:
        super().__init__()
        self._begins = begins

    def begin(self, entry) -> None:
        if not self._begins:
            raise AuditUnavailable("disk full")
        super().begin(entry)

    def end(self, id, result, count) -> None:  # noqa: A002, ARG002
        raise AuditUnavailable("disk full")


@pytest.fixture
def audit_log() -> MemoryAuditLog:
    return MemoryAuditLog()


@pytest.fixture
def audit(audit_log) -> Audit:
    return Audit(audit_log, lambda: 1_700_000_000.25)


def test_an_action_is_recorded_before_it_is_done_and_when_it_has_ended(audit, audit_log):
    with structlog.testing.capture_logs() as lines:
        with audit.recorded(KEY, Action.REDRIVE, {"cause": "outage"}) as changed:
            [begun] = audit_log.page(AuditQuery())
            assert (begun.result, begun.count) == (Result.BEGUN, None)
            assert lines == []
            changed.count = 412
        [done] = audit_log.page(AuditQuery())
    assert (done.result, done.count, done.selection) == (Result.DONE, 412, '{"cause":"outage"}')
    assert lines == [
        {
            "event": "admin action",
            "log_level": "info",
            "audit_id": done.id,
            "action": "dead-letters.redrive",
            "who": "key:0123456789",
            "origin": "192.0.2.7",
            "selection": '{"cause":"outage"}',
            "result": "done",
            "count": 412,
        }
    ]


def test_an_action_that_fails_is_recorded_as_far_as_it_went(audit, audit_log):
    def drop() -> None:
        with audit.recorded(KEY, Action.DROP, {"all": True}) as changed:
            changed.count = 3
            raise KeyError

    with pytest.raises(KeyError):
        drop()
    [entry] = audit_log.page(AuditQuery())
    assert (entry.result, entry.count) == (Result.FAILED, 3)


def test_nothing_is_done_that_cannot_be_recorded():
    audit = Audit(BrokenAuditLog(begins=False), lambda: 0.0)
    done = []
    with pytest.raises(AuditUnavailable), audit.recorded(KEY, Action.DROP, {"all": True}):
        done.append("dropped")
    assert done == []


def test_what_is_done_stays_done_if_its_end_cannot_be_recorded():
    audit_log = BrokenAuditLog(begins=True)
    with (
        structlog.testing.capture_logs() as lines,
        Audit(audit_log, lambda: 0.0).recorded(KEY, Action.DROP, {}) as changed,
    ):
        changed.count = 1
    assert [line["event"] for line in lines] == ["admin action", "cannot complete the audit"]
    [entry] = audit_log.page(AuditQuery())
    assert entry.result is Result.BEGUN


def test_a_long_selection_is_cut(audit, audit_log):
    with audit.recorded(KEY, Action.REDRIVE, {"ids": ["x" * 36] * 1000}):
        pass
    [entry] = audit_log.page(AuditQuery())
    assert len(entry.selection) == MAX_SELECTION
    assert entry.selection.endswith("…")
