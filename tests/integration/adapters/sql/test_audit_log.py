import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from limbo.adapters.sql.audit_log import SqlAuditLog
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.access.audit import Result
from limbo.domain.errors import AuditUnavailable
from limbo.ports.audit_log import AuditQuery
from tests.contracts.audit_log import BEGUN, AuditLogContract, an_entry


class TestSqliteAuditLog(AuditLogContract):
    @pytest.fixture
    def audit_log(self, tmp_path: Path) -> Iterator[SqlAuditLog]:
        url = f"sqlite:///{tmp_path}/limbo.db"
        with contextlib.closing(SqliteDatabase.connect(url)) as database:
            yield SqlAuditLog(database)


class TestPostgresAuditLog(AuditLogContract):
    @pytest.fixture
    def audit_log(self, postgres_contract_url: str) -> Iterator[SqlAuditLog]:
        with contextlib.closing(PostgresDatabase.connect(postgres_contract_url)) as database:
            database.execute("TRUNCATE limbo_audit")
            yield SqlAuditLog(database)


def test_a_database_without_the_table_is_an_unavailable_audit(database):
    audit_log = SqlAuditLog(database)
    database.execute("DROP TABLE limbo_audit")
    for use in (
        lambda: audit_log.begin(an_entry()),
        lambda: audit_log.end("x", Result.DONE, 1),
        lambda: audit_log.page(AuditQuery()),
        lambda: audit_log.purge(before=BEGUN, limit=1),
    ):
        with pytest.raises(AuditUnavailable, match="limbo_audit"):
            use()
