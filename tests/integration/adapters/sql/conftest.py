"""The databases that the tests of this folder share."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from limbo.adapters.sql.database import Database
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.submission import SqlOutbox
from tests.support.postgres import PostgresServer
from tests.support.sql import open_database


@pytest.fixture(scope="module")
def postgres_contract_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/limbo.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with contextlib.closing(open_database(url)) as opened:
        yield opened


@pytest.fixture
def queue(database: Database) -> SqlQueue:
    return SqlQueue(database)


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    return SqlLedger(database)


@pytest.fixture
def outbox(database: Database) -> SqlOutbox:
    return SqlOutbox(database)
