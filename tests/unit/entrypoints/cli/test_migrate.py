import contextlib
import json

import pytest

from limbo.adapters.sql.database import Dialect
from limbo.adapters.sql.migrations import MIGRATIONS, VERSION, Migration, migrate
from limbo.adapters.sql.sqlite import SqliteDatabase
from tests.support.command_line import CommandLine

LATER = [
    *MIGRATIONS,
    Migration(version=VERSION + 1, statements={Dialect.SQLITE: ()}, compatible_with=VERSION),
]


@pytest.fixture
def limbo(tmp_path):
    return CommandLine({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/l.db"})


def test_makes_the_tables_and_then_has_nothing_to_do(limbo, tmp_path):
    assert limbo.type("migrate") == 0
    assert limbo.out == f"queue: taken from version 0 to {VERSION}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["l.db"]
    assert limbo.type("migrate") == 0
    assert limbo.out == f"queue: version {VERSION}, up to date\n"
    assert limbo.type("keys", "list") == 0


def test_a_dry_run_says_what_would_be_done_and_does_nothing(limbo, tmp_path):
    assert limbo.type("migrate", "--dry-run") == 1
    assert limbo.out == f"queue: no tables yet; they would be made, of version {VERSION}\n"
    assert not [*tmp_path.iterdir()]
    with contextlib.closing(SqliteDatabase(tmp_path / "l.db")) as database:
        migrate(database, 4)
        assert limbo.type("migrate", "--dry-run") == 1
        assert limbo.out == f"queue: version 4, would be taken to {VERSION}\n"
    assert limbo.type("migrate") == 0
    assert limbo.type("migrate", "--dry-run") == 0


def test_newer_tables_are_left_as_they_are(limbo, tmp_path):
    with contextlib.closing(SqliteDatabase(tmp_path / "l.db")) as database:
        migrate(database, migrations=LATER)
    for arguments in ((), ("--dry-run",)):
        assert limbo.type("migrate", *arguments) == 0
        assert limbo.out == (
            f"queue: version {VERSION + 1}, newer, and left as it is;"
            f" this limbo knows up to {VERSION}\n"
        )


def test_queue_and_ledger_are_told_apart(limbo, tmp_path):
    limbo.environ["LIMBO_LEDGER"] = f"sqlite:///{tmp_path}/ledger.db"
    assert limbo.type("migrate", "--json") == 0
    data = json.loads(limbo.out)["data"]
    assert [(each["database"], each["before"], each["version"]) for each in data] == [
        ("queue", 0, VERSION),
        ("ledger", 0, VERSION),
    ]
    assert {each["compatible_with"] for each in data} == {4}


def test_where_nothing_is_a_database_there_is_nothing_to_do(limbo):
    limbo.environ = {"LIMBO_QUEUE": "mails", "LIMBO_DEAD_LETTER_QUEUE": "dead"}
    assert limbo.type("migrate") == 0
    assert limbo.out.startswith("There are no tables")
