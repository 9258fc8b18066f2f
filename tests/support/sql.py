"""A database of either kind for a test, and a clock that only the test moves."""

import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from limbo.adapters.sql.database import Database
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.lifecycle import Start, StartReply
from limbo.domain.mail.mail import Mail

TABLES = (
    "limbo_queue, limbo_dead_letters, limbo_mails, limbo_contents, limbo_recipients,"
    " limbo_attempts, limbo_idempotency"
)


def open_database(url: str, now: Callable[[], float] | None = None) -> Database:
    if url.startswith("sqlite"):
        return SqliteDatabase.connect(url, now=now) if now else SqliteDatabase.connect(url)
    return PostgresDatabase.connect(url, now=now)


class OnSqlite:
    @pytest.fixture
    def new_url(self, tmp_path: Path) -> Callable[[], str]:
        numbers = itertools.count()
        return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


class OnPostgres:
    @pytest.fixture
    def new_url(self, postgres_contract_url: str) -> Callable[[], str]:
        def new() -> str:
            with contextlib.closing(open_database(postgres_contract_url)) as database:
                database.execute(f"TRUNCATE {TABLES}")
            return postgres_contract_url

        return new


def begin(ledger: SqlLedger, mail: Mail) -> StartReply | None:
    [reply] = ledger.write([Start(mail_id=mail.id, sender="ses", started_at=1.5)])
    return reply
