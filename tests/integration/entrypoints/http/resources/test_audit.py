"""What admins do over HTTP and by command is in one audit, in the database and in the log."""

import json
import os
import pwd

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from limbo.adapters.sql.api_keys import SqlApiKeys
from limbo.adapters.sql.audit_log import SqlAuditLog
from limbo.adapters.sql.database import Database
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.access.api_key import KeyScope
from limbo.domain.access.credential import new_credential
from limbo.domain.access.networks import parse_networks
from limbo.domain.delivery.verdict import Cause, Death, Fault
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.telemetry.address_hash import AddressHash
from limbo.entrypoints.telemetry.audit import Audit
from limbo.ports.outbox import Submission
from tests.contracts.api_keys import READER, a_key
from tests.support.command_line import CommandLine
from tests.support.http_app import HttpApp
from tests.support.mails import a_mail
from tests.support.sql import open_database

CAUSE = Cause(kind=Fault.OUTAGE, sender="ses", reason="HTTP 503")
ADMIN, WATCH = new_credential(), new_credential()
PEER = "192.0.2.7"
PERSON = f"user:{pwd.getpwuid(os.getuid()).pw_name}"
HASH = AddressHash(b"secret")


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/limbo.db"


@pytest.fixture
def database(url):
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def http(database: Database) -> HttpApp:
    keys, queue = SqlApiKeys(database), SqlQueue(database)
    keys.add(a_key(ADMIN, **{**READER, "scopes": frozenset({KeyScope.ADMIN})}))
    keys.add(a_key(WATCH, **READER))
    return HttpApp(
        access=Access(keys),
        outbox=SqlOutbox(database),
        readiness=queue,
        dead_letters=queue.dead_letters,
        ledger_reader=SqlLedger(database).ledger_reader,
        audit=Audit(SqlAuditLog(database), lambda: 1_700_000_000.0),
        trusted_proxies=parse_networks(["127.0.0.0/8"]),
        address_hash=HASH,
    )


def bury(database: Database, count: int = 1) -> list[str]:
    queue = SqlQueue(database)
    queue.put([a_mail() for _ in range(count)])
    for lease in queue.receive(count, 0):
        queue.bury(lease, Death(cause=CAUSE))
    return list(queue.dead_letters.select())


def ask(http: HttpApp, method: str, path: str, document: object = None, credential=ADMIN):
    headers = {"authorization": f"Bearer {credential.reveal()}", "x-forwarded-for": PEER}
    with TestClient(http.app, client=("127.0.0.1", 4711)) as client:
        return client.request(method, path, json=document, headers=headers)


def entries(http: HttpApp, query: str = "") -> list[dict[str, object]]:
    return ask(http, "GET", f"/v1/audit{query}").json()["data"]


@pytest.mark.parametrize(
    ("request_line", "document", "action"),
    [
        ("POST /v1/dead-letters/redrive", {"all": True}, "dead-letters.redrive"),
        ("POST /v1/dead-letters/redrive", {"cause": "outage"}, "dead-letters.redrive"),
        ("DELETE /v1/dead-letters", {"all": True}, "dead-letters.drop"),
    ],
)
def test_an_action_over_http_is_recorded(http, database, request_line, document, action):
    bury(database, 3)
    with capture_logs() as logs:
        assert ask(http, *request_line.split(), document).status_code == 200
    [entry] = entries(http)
    assert entry | {"id": "", "begun_at": ""} == {
        "id": "",
        "begun_at": "",
        "who": f"key:{ADMIN.id}",
        "from": PEER,
        "action": action,
        "selection": json.dumps(document, separators=(",", ":")),
        "result": "done",
        "count": 3,
    }
    [line] = [line for line in logs if line["event"] == "admin action"]
    assert (line["who"], line["origin"], line["count"]) == (f"key:{ADMIN.id}", PEER, 3)


def test_one_dead_letter_that_is_dropped_is_named(http, database):
    [id_] = bury(database)
    assert ask(http, "DELETE", f"/v1/dead-letters/{id_}").status_code == 200
    [entry] = entries(http)
    assert (entry["selection"], entry["count"]) == (f'{{"ids":["{id_}"]}}', 1)


def test_what_named_nothing_has_failed(http):
    assert ask(http, "POST", "/v1/dead-letters/redrive", {"ids": ["nope"]}).status_code == 404
    [entry] = entries(http)
    assert (entry["result"], entry["count"]) == ("failed", None)


def test_mails_that_are_cancelled_are_counted_and_an_address_is_a_hash(http, database):
    mail = a_mail(to="bob@example.org")
    SqlOutbox(database).submit([Submission(mail=mail, client="shop")])
    document = {"client": "shop", "to": "bob@example.org"}
    assert ask(http, "POST", "/v1/mail/cancel", document).json()["cancelled"] == 1
    [entry] = entries(http)
    assert (entry["action"], entry["count"]) == ("mail.cancel", 1)
    assert json.loads(entry["selection"]) == {"client": "shop", "to": HASH("bob@example.org")}


def test_reading_leaves_no_entry_and_a_key_without_admin_sees_none(http, database):
    bury(database)
    assert ask(http, "GET", "/v1/dead-letters").status_code == 200
    assert entries(http) == []
    assert ask(http, "GET", "/v1/audit", credential=WATCH).status_code == 403


def test_nothing_is_done_that_cannot_be_recorded(http, database):
    bury(database)
    database.execute("DROP TABLE limbo_audit")
    reply = ask(http, "DELETE", "/v1/dead-letters", {"all": True})
    assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
    assert len(SqlQueue(database).dead_letters.select()) == 1


def test_commands_are_in_the_same_audit(http, database, url):
    bury(database, 2)
    limbo = CommandLine({"LIMBO_QUEUE": url, "LIMBO_SENDERS": "fake"})
    create = ("keys", "create", "--name", "Zoë's", "--scope", "send", "--from", "zoe@x.example")
    assert limbo.type(*create) == 0
    key = limbo.out.strip()
    assert limbo.type("keys", "update", key, "--rate", "5/s") == 0
    assert limbo.type("keys", "revoke", key) == 0
    assert limbo.type("dead-letters", "redrive", "--all") == 0
    assert limbo.type("forget", "bob@example.org", "--yes") in {0, 1}
    found = entries(http)
    actions = ["forget", "dead-letters.redrive", "keys.revoke", "keys.update", "keys.create"]
    assert [entry["action"] for entry in found] == actions
    assert {entry["who"] for entry in found} == {PERSON}
    assert all(str(entry["from"]).startswith("command@") for entry in found)
    assert [entry["count"] for entry in found[1:]] == [2, 1, 1, 1]
    assert {entry["result"] for entry in found} == {"done"}
    for secret in (key, "zoe@x.example", "bob@example.org", "Zoë"):
        assert secret not in json.dumps(found, ensure_ascii=False)
    assert limbo.type("audit", "--json") == 0
    assert json.loads(limbo.out)["data"] == found
    assert limbo.type("audit", "--action", "keys.revoke", "--limit", "1") == 0
    assert PERSON in limbo.out
    assert limbo.out.count("\n") == 2


def test_the_line_of_a_command_goes_to_standard_error(url):
    limbo = CommandLine({"LIMBO_QUEUE": url, "LIMBO_SENDERS": "fake"})
    open_database(url).close()
    assert limbo.type("keys", "create", "--name", "n", "--scope", "read") == 0
    [line] = [json.loads(text) for text in limbo.err.splitlines() if text.startswith("{")]
    assert (line["event"], line["action"], line["who"]) == ("admin action", "keys.create", PERSON)


def test_pages_go_on_and_conditions_hold(http, database):
    for _ in range(3):
        bury(database)
        ask(http, "POST", "/v1/dead-letters/redrive", {"all": True})
    page = ask(http, "GET", "/v1/audit?limit=2").json()
    assert (len(page["data"]), page["has_more"]) == (2, True)
    assert len(entries(http, f"?after={page['data'][-1]['id']}")) == 1
    assert entries(http, "?action=keys.create") == []
    assert len(entries(http, f"?who=key:{ADMIN.id}&since=1600000000")) == 3
    assert ask(http, "GET", "/v1/audit?action=steal").status_code == 400
    assert ask(http, "GET", "/v1/audit?who=").status_code == 400


def test_without_a_database_there_is_no_audit_to_show(tmp_path):
    app = HttpApp(access=Access(None, anonymous_scopes=KeyScope))
    reply = app.ask("GET", "/v1/audit")
    assert (reply.status_code, reply.json()["code"]) == (501, "not_kept_here")
    limbo = CommandLine({"LIMBO_QUEUE": f"sqlite:///{tmp_path}/q.db", "LIMBO_LEDGER": "none"})
    open_database(f"sqlite:///{tmp_path}/q.db").close()
    assert limbo.type("audit") == 2
    assert "LIMBO_LEDGER must name a database for the audit" in limbo.err
