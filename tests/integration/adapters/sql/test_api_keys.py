import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from limbo.adapters.sql.api_keys import SqlApiKeys
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.errors import ApiKeysUnavailable
from tests.contracts.api_keys import REVOKED, ApiKeysContract, a_key, found
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def contract_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


class TestSqliteKeys(ApiKeysContract):
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Iterator[SqlApiKeys]:
        url = f"sqlite:///{tmp_path}/limbo.db"
        with contextlib.closing(SqliteDatabase.connect(url)) as database:
            yield SqlApiKeys(database)


class TestPostgresKeys(ApiKeysContract):
    @pytest.fixture
    def keys(self, contract_url: str) -> Iterator[SqlApiKeys]:
        with contextlib.closing(PostgresDatabase.connect(contract_url)) as database:
            database.execute("TRUNCATE limbo_api_keys")
            yield SqlApiKeys(database)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("scopes", "root"),
        ("senders", "[1]"),
        ("senders", "{"),
        ("senders", "7"),
        ("senders", '["nobody@"]'),
        ("rate", "fast"),
        ("read_rate", "fast"),
        ("networks", '["nobody"]'),
        ("client", "Nobody"),
        ("name", ""),
    ],
)
def test_a_row_that_cannot_be_read_lets_nobody_in_and_is_not_repeated(database, column, value):
    keys, key = SqlApiKeys(database), a_key()
    keys.add(key)
    database.execute(f"UPDATE limbo_api_keys SET {column} = :value", {"value": value})
    with pytest.raises(ApiKeysUnavailable, match="a row of limbo_api_keys") as raised:
        found(keys, key.id)
    assert "nobody" not in str(raised.value)


def test_a_row_that_cannot_be_read_keeps_no_other_key_from_being_found(database):
    keys, broken, other = SqlApiKeys(database), a_key(), a_key()
    keys.add(broken)
    keys.add(other)
    database.execute("UPDATE limbo_api_keys SET rate = 'fast' WHERE id = :id", {"id": broken.id})
    assert keys.find([broken.id, other.id]) == {other.id: other}


def test_no_secret_and_nothing_to_guess_it_by_is_kept(database):
    key = a_key()
    SqlApiKeys(database).add(key)
    [[kept]] = database.execute("SELECT sha256 FROM limbo_api_keys")
    assert kept == key.sha256


def test_a_database_without_the_table_is_an_unavailable_store(database):
    keys = SqlApiKeys(database)
    database.execute("DROP TABLE limbo_api_keys")
    for use in (
        lambda: found(keys, "0123456789"),
        lambda: keys.find(["0123456789", "0123456780"]),
        lambda: keys.update(a_key()),
        lambda: keys.note_uses({"0123456789": 1.0}),
        keys.list,
        lambda: keys.add(a_key()),
        lambda: keys.revoke("0123456789", REVOKED),
    ):
        with pytest.raises(ApiKeysUnavailable, match="limbo_api_keys"):
            use()
