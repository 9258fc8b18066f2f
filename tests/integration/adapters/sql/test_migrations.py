"""A database of any earlier limbo becomes what a new one is, and keeps what is in it."""

import ast
import contextlib
import itertools
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from string import ascii_lowercase

import pytest
from psycopg.conninfo import conninfo_to_dict

from limbo.adapters.sql import migrations
from limbo.adapters.sql.api_keys import SqlApiKeys
from limbo.adapters.sql.database import Database, Dialect
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.migrations import MIGRATIONS, VERSION, Migration, migrate, need_tables
from limbo.adapters.sql.own_secrets import SqlSecrets
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.access.networks import NO_NETWORKS
from limbo.domain.access.rate import Rate
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.delivery.verdict import Attempt, Cause, Failed, Fault
from limbo.domain.errors import SettingsError
from limbo.ports.ledger_reader import Query, RecordedAttempt
from limbo.ports.outbox import Idempotency, Replayed, Submission
from limbo.ports.queue import Kept
from tests.support.mails import a_mail

FILES = sorted(Path(migrations.__path__[0]).glob("m*.py"))

# What is released is never changed: databases have it already, and would get nothing of a change.
# Another file takes them further.
HASHES = {
    "m0001_queue.py": "83c338d8a8815608f049a5cba18444249d06d3ab4888af6ce0a4bc7dfb160ef1",
    "m0002_ledger.py": "e023a70f57a69c4d03d2a8ca415e905790a5f386d0dbadff8062e2ee423ed506",
    "m0003_api_keys.py": "8bf87cf4314fbdf29ee743249dadc4c4b5bc223879b04fd55cf10c5b684c9e88",
    "m0004_submissions.py": "d345afd2cca78b0e76b7a6d90312e57172f95269c36c555bf3989493e9455b13",
    "m0005_compatibility.py": "61165614514b6d7c5a577e5b50f0fd0f879d2ee11e3f48941ed0efb6b45cf126",
    "m0006_causes.py": "87adaf1a1fa7be89d183c12d4517c37eb9238ac7543f9cc992a61037bac187d1",
    "m0007_readiness.py": "e0b6014bebd62628728ab06d8ac2e7c458e8286fef3fc95062d602af53ae5b0b",
    "m0008_by_recipient.py": "737fff60f1fe2f0ace00e19ca36bd9809351ee4c8457a716387111a00ce71bc1",
    "m0009_clients.py": "d7bcb16d8989f967c26a7acb62246e49fb8556f17db0a66cb1c18464409187ea",
    "m0010_counts.py": "c6650144b66db23d4a3e12dd14fc39f078b163c516d99279f1690cec3ccd425b",
    "m0011_entries.py": "5f97c27bd88f33e12898e428cfc13fb96b411d7491e2d6fbe5baae4de7b1277a",
    "m0012_evidence.py": "9bf838e7416c1d550559bfa343814cda360253e2690e56f6c564ea5ea20b22bb",
    "m0013_secrets.py": "24ab71f39a51a07a741d5f70ddb761d3cc74ac7140d88369a2f59fde59bbae7f",
    "m0014_shown.py": "fe03da02f178e539282a065a3ac25dd23d4d449c27636580ce86b4a6c100bcd2",
    "m0015_audit.py": "dee562ffeeeadf8ebbcda30acd923ee3306f5ba29919ceb6f3f1daf9b07d6fe0",
}

WAITING = "018bcfe5-6800-7000-8000-000000000001"
DEAD = "018bcfe5-6800-7000-8000-000000000002"
LETTER = "018bcfe5-6fd0-7000-8000-000000000003"
OUTAGE = Cause(kind="outage", sender="ses", reason="HTTP 503")
ATTEMPT = Attempt(
    sender="ses",
    started_at=1700000001.5,
    duration=0.25,
    verdict=Failed(Fault.OUTAGE, "HTTP 503", None),
)
_BODIES = {
    id_: b'{"v":1,"id":"%b","submitted_at":1700000000.0,"from":"shop@example.org",'
    b'"to":["Bob@example.com"],"subject":"Hello","message":"How are you?"}' % id_.encode()
    for id_ in (WAITING, DEAD)
}
_CAUSE = b'{"kind":"outage","sender":"ses","reason":"HTTP 503"}'
_ATTEMPTS = (
    b'[{"sender":"ses","started_at":1700000001.5,"duration":0.25,"fault":"outage",'
    b'"reason":"HTTP 503","retry_after":null}]'
)
_KEY_HASH = bytes.fromhex("9c85d1334e23b0c8b93b5798cde3d5ffb5da5fec8859c7847859881037fa7b6c")

# What a limbo of each version wrote into the tables that came with it.
ROWS: dict[int, list[tuple[str, dict[str, object]]]] = {
    1: [
        (
            "limbo_queue",
            {
                "id": WAITING,
                "body": _BODIES[WAITING],
                "submitted_at": 1700000000.0,
                "due": 1700000030.0,
                "receipt": None,
                "touches": 2,
                "possible_duplicate": True,
            },
        ),
        (
            "limbo_dead_letters",
            {
                "id": LETTER,
                "mail_id": DEAD,
                "body": _BODIES[DEAD],
                "submitted_at": 1700000000.0,
                "kind": "outage",
                "sender": "ses",
                "reason": "HTTP 503",
                "attempts": _ATTEMPTS,
                "buried_at": 1700000002.0,
                "possible_duplicate": False,
            },
        ),
    ],
    2: [
        (
            "limbo_mails",
            {
                "id": WAITING,
                "client": "shop",
                "status": "queued",
                "submitted_at": 1700000000.0,
                "updated_at": 1700000000.0,
                "last_start": None,
                "next_at": None,
                "possible_duplicate": False,
                "sender": "shop@example.org",
                "recipients": '["Bob@example.com"]',
                "subject": "Hello",
                "cause": None,
            },
        ),
        (
            "limbo_mails",
            {
                "id": DEAD,
                "client": "",
                "status": "dead",
                "submitted_at": 1700000000.0,
                "updated_at": 1700000002.0,
                "last_start": 1700000001.5,
                "next_at": None,
                "possible_duplicate": False,
                "sender": "shop@example.org",
                "recipients": '["Bob@example.com"]',
                "subject": "Hello",
                "cause": _CAUSE,
            },
        ),
        ("limbo_contents", {"id": WAITING, "body": _BODIES[WAITING]}),
        ("limbo_contents", {"id": DEAD, "body": _BODIES[DEAD]}),
        ("limbo_recipients", {"address": "bob@example.com", "client": "shop", "id": WAITING}),
        ("limbo_recipients", {"address": "bob@example.com", "client": "", "id": DEAD}),
        (
            "limbo_attempts",
            {"mail_id": DEAD, "started_at": 1700000001.5, "sender": "ses", "outcome": _ATTEMPTS},
        ),
        (
            "limbo_idempotency",
            {
                "name": _KEY_HASH,
                "fingerprint": "f" * 64,
                "mail_id": WAITING,
                "at": 1700000000.0,
            },
        ),
    ],
    3: [
        (
            "limbo_api_keys",
            {
                "id": "yt2ir86oxk",
                "name": "shop",
                "sha256": "d2a8dea2df8968541c32f33c28744380411a2f01cc9890403b2e8f06e388dfc6",
                "scopes": "read,send",
                "senders": '["@shop.example"]',
                "rate": "6000/min",
                "created_at": 1700000000.25,
                "revoked_at": None,
            },
        )
    ],
    4: [],
    5: [],
    6: [],
    7: [],
    8: [],
    9: [],
    10: [],
    11: [],
    12: [],
    13: [
        (
            "limbo_secrets",
            {"name": "address hashes", "secret": b"s" * 32, "created_at": 1700000000.0},
        )
    ],
    14: [],
    15: [
        (
            "limbo_audit",
            {
                "id": "018bcfe5-6800-7000-8000-000000000009",
                "at": 1700000000.25,
                "who": "key:0123456789",
                "origin": "192.0.2.7",
                "action": "dead-letters.redrive",
                "selection": '{"cause":"outage"}',
                "result": "done",
                "count": 412,
            },
        )
    ],
}
EARLIER = range(1, VERSION)
NAMES = {"COMPATIBLE_WITH", *(dialect.name for dialect in Dialect)}

_SQLITE_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
_POSTGRESQL_SCHEMA = """
    SELECT 'column', c.relname::text, a.attname::text, a.attnum::text,
        concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid), a.attcollation::regcollation)
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'relation', relname::text, relkind::text, '', reloptions::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', tablename::text, indexname::text, '', indexdef FROM pg_indexes
    WHERE schemaname = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname::text, '', pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, tgname::text, '', pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', proname::text, prosrc, '', '' FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace
    ORDER BY 1, 2, 3, 4
"""

OpenAt = Callable[[int], Database]


def now() -> float:
    return 1700000040.0


@pytest.fixture(params=["sqlite", "postgresql"])
def open_at(request: pytest.FixtureRequest, tmp_path: Path):
    """Open an empty database, and bring it to a version: as often as asked."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count()

        def on_sqlite(version: int) -> Database:
            database = SqliteDatabase(tmp_path / f"{next(numbers)}.db", now=now)
            stack.callback(database.close)
            migrate(database, version)
            return database

        def on_postgresql(version: int) -> Database:
            url = request.getfixturevalue("postgres").new_database()
            database = PostgresDatabase(conninfo_to_dict(url), now=now)
            stack.callback(database.close)
            migrate(database, version)
            return database

        yield on_sqlite if request.param == "sqlite" else on_postgresql


def schema(database: Database) -> list[tuple[object, ...]]:
    sql = _SQLITE_SCHEMA if database.dialect is Dialect.SQLITE else _POSTGRESQL_SCHEMA
    versions = database.execute("SELECT * FROM limbo_schema ORDER BY version")
    return [*database.execute(sql), *versions]


def a_migration(version: int = VERSION + 1, *, compatible_with: int | None) -> Migration:
    """Return one that a limbo of tomorrow might bring."""
    statements = (f"ALTER TABLE limbo_queue ADD COLUMN tomorrow_{version} integer",)
    return Migration(
        version=version,
        statements=dict.fromkeys(Dialect, statements),
        compatible_with=compatible_with,
    )


def with_rows(open_at: OpenAt, version: int) -> Database:
    """Return a database of that version, with rows of that time in all its tables."""
    database = open_at(version)
    for number in range(1, version + 1):
        for table, row in ROWS[number]:
            names = [f"value_{letter}" for letter in ascii_lowercase[: len(row)]]
            places = ", ".join(f":{name}" for name in names)
            database.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})",
                dict(zip(names, row.values(), strict=True)),
            )
    return database


def climbed(open_at: OpenAt, version: int) -> Database:
    database = with_rows(open_at, version)
    migrate(database)
    return database


@pytest.mark.parametrize("version", EARLIER)
def test_climbs_to_what_a_new_database_has(open_at, version):
    assert schema(open_at(version)) != schema(open_at(VERSION))
    assert schema(climbed(open_at, version)) == schema(open_at(VERSION))


@pytest.mark.parametrize("version", [*EARLIER, VERSION])
def test_a_mail_in_the_queue_is_received_as_it_was(open_at, version):
    queue = SqlQueue(climbed(open_at, version))
    [lease] = queue.receive(10, 0)
    assert (lease.mail.id, lease.mail.subject) == (WAITING, "Hello")
    assert (lease.touches, lease.possible_duplicate) == (2, True)
    assert queue.ack([lease]) == []


@pytest.mark.parametrize("version", [*EARLIER, VERSION])
def test_a_dead_letter_is_shown_and_redriven(open_at, version):
    queue = SqlQueue(climbed(open_at, version))
    [letter] = queue.dead_letters.list(10)
    assert (letter.id, letter.mail_id, letter.cause) == (LETTER, DEAD, OUTAGE)
    assert letter.attempts == (ATTEMPT,)
    assert queue.dead_letters.redrive([DEAD]) == 1
    assert {lease.mail.id for lease in queue.receive(10, 0)} == {WAITING, DEAD}


@pytest.mark.parametrize("version", range(2, VERSION + 1))
def test_a_mail_is_found_in_the_ledger_with_all_that_is_known_of_it(open_at, version):
    reader = SqlLedger(climbed(open_at, version)).ledger_reader
    dead, waiting = reader.find(DEAD, ""), reader.find(WAITING, "shop")
    assert (dead.status, dead.cause, dead.mail.message) == (Status.DEAD, OUTAGE, "How are you?")
    assert [*dead.attempts] == [
        RecordedAttempt(sender="ses", started_at=1700000001.5, attempt=ATTEMPT)
    ]
    assert (waiting.status, waiting.to) == (Status.QUEUED, ("Bob@example.com",))
    assert [r.id for r in reader.page(Query(client=None, to="bob@example.com"))] == [DEAD, WAITING]
    assert [r.id for r in reader.page(Query(client="shop"))] == [WAITING]


@pytest.mark.parametrize("version", range(2, VERSION + 1))
def test_an_idempotency_key_still_stands_for_its_mail(open_at, version):
    again = Submission(mail=a_mail(), client="shop", idempotency=Idempotency("order-1", "f" * 64))
    assert SqlOutbox(climbed(open_at, version)).submit([again]) == [Replayed(WAITING)]


@pytest.mark.parametrize("version", range(3, VERSION + 1))
def test_an_api_key_is_found(open_at, version):
    key = SqlApiKeys(climbed(open_at, version)).find(["yt2ir86oxk"])["yt2ir86oxk"]
    assert (key.name, key.rate, key.is_revoked) == ("shop", Rate(6000, "min"), False)
    assert key.allowed_from.rules == {"@shop.example"}
    assert (key.client.id, key.networks, key.expires_at) == ("yt2ir86oxk", NO_NETWORKS, None)


@pytest.mark.parametrize("version", range(13, VERSION + 1))
def test_a_secret_stays_what_it_was(open_at, version):
    assert SqlSecrets(climbed(open_at, version)).secret("address hashes") == b"s" * 32


@pytest.mark.parametrize("version", range(VERSION))
def test_a_mail_can_be_submitted(open_at, version):
    database = climbed(open_at, version)
    mail = a_mail()
    assert SqlOutbox(database).submit([Submission(mail=mail)]) == [Kept()]
    assert SqlLedger(database).ledger_reader.find(mail.id, None).status is Status.QUEUED
    assert mail in [lease.mail for lease in SqlQueue(database).receive(10, 0)]


_OF_AN_OLDER_LIMBO = """
    INSERT INTO limbo_submissions
        (id, client, status, submitted_at, sender, recipients, subject, body, due)
    VALUES (:id, 'shop', 'queued', 1.0, 'a@x.example', '["b@x.example"]', 'Hello', :body, 1.0)
"""


def test_an_older_limbo_goes_on_submitting_to_sqlite(tmp_path):
    with contextlib.closing(SqliteDatabase(tmp_path / "l.db", now=now)) as database:
        migrate(database)
        database.execute(_OF_AN_OLDER_LIMBO, {"id": WAITING, "body": _BODIES[WAITING]})
        [record] = SqlLedger(database).ledger_reader.page(Query(client="shop"))
        assert (record.id, record.key) == (WAITING, None)
        assert len(SqlQueue(database).receive(10, 0)) == 1


@pytest.mark.parametrize("version", [0, *EARLIER])
def test_tables_that_are_too_old_are_used_by_nobody_and_not_touched(open_at, version):
    database = open_at(version)
    before = schema(database) if version else []
    with pytest.raises(SettingsError, match="run `limbo migrate`"):
        need_tables(database)
    assert (schema(database) if version else []) == before
    migrate(database)
    need_tables(database)


def test_the_tables_of_a_newer_limbo_that_refuses_this_one_are_left_alone(open_at):
    database = open_at(VERSION)
    migrate(database, migrations=[*MIGRATIONS, a_migration(compatible_with=VERSION + 1)])
    found = schema(database)
    for use in (migrate, need_tables):
        with pytest.raises(SettingsError, match=rf"version {VERSION + 1}, .* up to {VERSION}"):
            use(database)
    assert schema(database) == found


def test_the_tables_of_a_newer_limbo_that_says_nothing_are_left_alone(open_at):
    database = open_at(VERSION)
    migrate(database, migrations=[*MIGRATIONS, a_migration(compatible_with=None)])
    with pytest.raises(SettingsError, match=rf"version {VERSION + 1}, .* up to {VERSION}"):
        migrate(database)


def test_the_tables_of_a_newer_limbo_that_admits_this_one_are_used_as_they_are(open_at):
    database = with_rows(open_at, VERSION)
    migrate(database, migrations=[*MIGRATIONS, a_migration(compatible_with=VERSION)])
    found = schema(database)
    migrate(database)
    need_tables(database)
    assert schema(database) == found
    assert SqlOutbox(database).submit([Submission(mail=a_mail())]) == [Kept()]
    assert len(SqlQueue(database).receive(10, 0)) == 2


def test_what_one_migration_refuses_no_later_one_admits(open_at):
    later = [
        *MIGRATIONS,
        a_migration(compatible_with=VERSION + 1),
        a_migration(VERSION + 2, compatible_with=VERSION),
    ]
    database = open_at(VERSION)
    migrate(database, migrations=later)
    with pytest.raises(SettingsError, match="made by a newer limbo"):
        migrate(database)
    migrate(database, migrations=later[:-1])


@pytest.mark.parametrize("migration", MIGRATIONS[4:], ids=lambda found: found.version)
def test_each_migration_admits_the_processes_of_the_version_before(migration):
    """One that cannot says so here, with the reason: no process then goes on beside a newer one."""
    assert migration.compatible_with is not None
    assert 4 <= migration.compatible_with < migration.version


def test_each_version_has_a_file_and_rows_of_its_time():
    assert [path.name for path in FILES] == [*HASHES]
    assert [int(path.name[1:5]) for path in FILES] == [*ROWS] == [*range(1, VERSION + 1)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_released_file_is_never_changed(path):
    assert sha256(path.read_bytes()).hexdigest() == HASHES[path.name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_made_of_its_own_text_alone(path):
    _, *assignments = ast.parse(path.read_text()).body
    targets = [getattr(each, "target", None) or each.targets[0] for each in assignments]
    assert {target.id for target in targets} <= NAMES
    assert len(assignments) >= len(Dialect)
    for assignment in assignments:
        ast.literal_eval(assignment.value)
