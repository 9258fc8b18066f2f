import pytest

from limbo.adapters.memory.audit_log import MemoryAuditLog
from limbo.ports.audit_log import AuditQuery
from tests.contracts.audit_log import AuditLogContract, an_entry


class TestMemoryAuditLog(AuditLogContract):
    @pytest.fixture
    def audit_log(self) -> MemoryAuditLog:
        return MemoryAuditLog()


def test_only_the_newest_ten_thousand_are_kept():
    audit_log = MemoryAuditLog()
    for age in range(10_001, 0, -1):
        audit_log.begin(an_entry(age))
    entries = audit_log.page(AuditQuery(limit=20_000))
    assert len(entries) == 10_000
    assert entries[-1] == an_entry(10_000, id=entries[-1].id)
