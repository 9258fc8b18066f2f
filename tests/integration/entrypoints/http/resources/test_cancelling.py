"""After a leak: an admin cancels what a key has posted."""

import contextlib
import json

import pytest
from structlog.testing import capture_logs

from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.access.api_key import KeyScope
from limbo.domain.delivery.lifecycle import Status
from tests.support.whole_app import ACCEPTED, FAILED, WholeApp


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def site(request, tmp_path):
    if request.param == "memory":
        yield WholeApp()
        return
    if request.param == "sqlite":
        made = SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")
    else:
        made = PostgresDatabase.connect(request.getfixturevalue("postgres_url"))
    with contextlib.closing(made) as database:
        yield WholeApp(database=database)


def cancel(site, document, *scopes):
    _, key = site.keys.create(*(scopes or (KeyScope.ADMIN,)))
    body = json.dumps(document).encode()
    return site.ask("POST", "/v1/mail/cancel", body, {"Authorization": f"Bearer {key}"})


def status(site, mail):
    return site.ledger_reader.find(mail.id, None).status


def test_what_a_leaked_key_has_posted_is_cancelled_and_counted(site):
    leaked = [site.submit("shop", "leaked", to=f"x{n}@example.com") for n in range(5)]
    others = [site.submit("shop", "other"), site.submit("blog", "blogs")]
    site.try_out(leaked[0], Status.SENDING)
    site.try_out(leaked[1], Status.SENT, ACCEPTED)
    site.try_out(leaked[2], Status.DEFERRED, FAILED)
    with capture_logs() as logs:
        reply = cancel(site, {"key": "leaked"})
    assert reply.status_code == 200
    assert reply.json() == {"cancelled": 3, "too_late": 1, "has_more": False}
    assert [status(site, mail) for mail in leaked] == [
        *("sending", "sent", "cancelled", "cancelled", "cancelled")
    ]
    assert [status(site, mail) for mail in others] == ["queued"] * 2
    [line] = [line for line in logs if line["event"] == "admin action"]
    assert (line["action"], line["count"]) == ("mail.cancel", 3)
    assert cancel(site, {"key": "leaked"}).json()["cancelled"] == 0


@pytest.mark.parametrize(
    ("document", "count"),
    [
        ({"all": True}, 4),
        ({"client": "shop"}, 3),
        ({"client": "shop", "key": "b"}, 1),
        ({"to": "Bob@Example.com"}, 2),
        ({"to": "bob@example.com", "client": "blog"}, 1),
        ({"status": "queued"}, 4),
        ({"status": "deferred"}, 0),
        ({"since": 1}, 4),
        ({"since": "2020-01-01T00:00:00Z"}, 4),
        ({"since": 4e9}, 0),
        ({"client": "nobody"}, 0),
    ],
)
def test_just_what_meets_all_conditions_is_cancelled(site, document, count):
    site.submit("shop", "a", to="bob@example.com")
    site.submit("shop", "a", to="eve@example.com")
    site.submit("shop", "b", to="eve@example.com")
    site.submit("blog", "c", to="bob@example.com")
    assert cancel(site, document).json()["cancelled"] == count


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({}, "the body must be"),
        ({"all": False}, "the body must be"),
        ({"all": 1}, "the body must be"),
        ({"all": True, "client": "shop"}, "the body must be"),
        ({"clients": "shop"}, "the body must be"),
        ({"client": ""}, "client: must be 1 to 64"),
        ({"client": None}, "client: must be a string"),
        ({"key": "a b"}, "key: must be 1 to 64"),
        ({"status": "sent"}, "status: must be one of queued, deferred"),
        ({"to": "nobody"}, "to: "),
        ({"since": "soon"}, "since: must be a time"),
        ({"since": True}, "since: must be a time"),
        ({"since": -1}, "since: must be a time"),
        ({"since": []}, "since: must be a time"),
    ],
)
def test_what_is_not_understood_cancels_nothing(document, says):
    site = WholeApp()
    mail = site.submit("shop")
    reply = cancel(site, document)
    assert (reply.status_code, reply.json()["Message"]) == (400, "not done")
    assert reply.json()["Problem"].startswith(says)
    assert status(site, mail) is Status.QUEUED


def test_a_great_many_are_cancelled_in_several_steps(tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    with contextlib.closing(SqliteDatabase.connect(url)) as database:
        site = WholeApp(database=database)
        database.execute(
            """
            INSERT INTO limbo_mails
                (id, client, key, status, submitted_at, updated_at, sender, recipients, subject)
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10600)
            SELECT printf('018bcfe5-68fa-7000-8000-%012d', i), 'shop', 'leaked', 'queued', 1.0, 1.0,
                'a@x.example', '[]', 'Hello' FROM n
            """
        )
        replies = [cancel(site, {"key": "leaked"}).json() for _ in range(3)]
    assert [reply["cancelled"] for reply in replies] == [10_000, 600, 0]
    assert [reply["has_more"] for reply in replies] == [True, False, False]


@pytest.mark.parametrize("scopes", [(KeyScope.SEND,), (KeyScope.READ,)])
def test_only_an_admin_cancels_by_conditions(scopes):
    site = WholeApp()
    mail = site.submit("shop")
    assert cancel(site, {"all": True}, *scopes).status_code == 403
    assert status(site, mail) is Status.QUEUED


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_the_path_is_none_of_a_mail(method):
    assert WholeApp().ask(method, "/v1/mail/cancel").status_code == 405
