"""Every operation, tried by everybody who may not."""

import base64
import json

import pytest

from limbo.domain.access.api_key import KeyScope
from limbo.domain.delivery.verdict import Cause
from limbo.entrypoints.http.api.operations import OPERATIONS
from tests.support.http_app import MAIL
from tests.support.whole_app import WholeApp

SEND, READ, ADMIN = KeyScope
WRONG = "limbo_0123456789_0123456789abcdefghijABCDEFGHIJ000000"
NEEDED = [operation for operation in OPERATIONS if operation.scope is not None]
OPEN = [operation for operation in OPERATIONS if operation.scope is None]
BODIES = {
    "submitMail": MAIL,
    "cancelMails": {"client": "nobody"},
    "redriveDeadLetters": {"cause": "mail"},
    "dropDeadLetters": {"cause": "mail"},
}


class Site:
    """A mail of one client, a dead letter, and clients with every set of scopes."""

    def __init__(self):
        self.app = WholeApp()
        self.owner, self.owners_key = self.app.keys.create(SEND, READ)
        dead = self.app.submit(self.owner)
        self.app.bury(Cause(kind="mail", reason="bad"))
        self.ids = {"mails": self.app.submit(self.owner).id, "dead letters": dead.id}

    def key(self, *scopes, allowed_from=("*",)):
        return self.app.keys.create(*scopes, allowed_from=allowed_from)[1]

    def ask(self, operation, authorization, **fields):
        path = operation.path.replace("{id}", self.ids.get(operation.tag, ""))
        body = BODIES.get(operation.id)
        text = b"" if body is None else json.dumps(body | fields).encode()
        headers = {} if authorization is None else {"Authorization": authorization}
        return self.app.ask(operation.method, path, text, headers)


@pytest.fixture
def site():
    return Site()


def named(operation):
    return operation.id


def basic(user, key):
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


@pytest.mark.parametrize("operation", NEEDED, ids=named)
@pytest.mark.parametrize(
    "authorization",
    [None, f"Bearer {WRONG}", basic("api", WRONG), "Bearer", "Bearer x", "Digest x", basic("", "")],
    ids=["none", "unknown", "unknown basic", "empty", "no key", "another scheme", "empty basic"],
)
def test_without_a_key_that_is_known_it_is_401(site, operation, authorization):
    reply = site.ask(operation, authorization)
    assert reply.status_code == 401
    assert reply.json()["Message"] == operation.failed
    assert (
        "Bearer" in reply.headers["www-authenticate"]
        or "Basic" in reply.headers["www-authenticate"]
    )


@pytest.mark.parametrize("operation", NEEDED, ids=named)
def test_with_every_scope_but_the_one_it_is_403(site, operation):
    reply = site.ask(operation, f"Bearer {site.key(*({*KeyScope} - {operation.scope}))}")
    assert reply.status_code == 403
    assert reply.json() == {
        "Message": operation.failed,
        "Problem": f"this API key lacks the scope {operation.scope}",
        "code": "scope_missing",
    }


@pytest.mark.parametrize("operation", NEEDED, ids=named)
@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "basic"])
def test_with_just_the_scope_it_is_done(site, operation, form):
    is_owners = operation.tag == "mails" and operation.scope is not ADMIN
    key = site.owners_key if is_owners else site.key(operation.scope)
    reply = site.ask(operation, basic("x", key) if form == "basic" else form.format(key))
    assert reply.status_code == 200


@pytest.mark.parametrize("operation", NEEDED, ids=named)
def test_an_admin_with_the_scope_sees_and_touches_what_is_anybodys(site, operation):
    assert site.ask(operation, f"Bearer {site.key(operation.scope, ADMIN)}").status_code == 200


@pytest.mark.parametrize(
    "operation", [o for o in NEEDED if o.tag == "mails" and "{id}" in o.path], ids=named
)
def test_another_clients_mail_is_404_as_one_that_never_was(site, operation):
    key = site.key(SEND, READ)
    theirs = site.ask(operation, f"Bearer {key}")
    bodies = {theirs.content}
    for name in ("01a20bfc-98c5-7ebe-8fea-9a68ee9e8051", "x", "%00", "a b", "é", "x" * 65, "😀"):
        site.ids["mails"] = name
        reply = site.ask(operation, f"Bearer {key}")
        assert reply.status_code == 404
        bodies.add(reply.content)
    assert theirs.status_code == 404
    assert bodies == {b'{"Message":"not done","Problem":"no such mail","code":"mail_not_found"}'}


def test_another_clients_mails_are_not_in_the_list(site):
    (operation,) = (o for o in NEEDED if o.id == "listMails")
    assert site.ask(operation, f"Bearer {site.key(READ)}").json() == {"data": [], "has_more": False}
    for key in (site.owners_key, site.key(READ, ADMIN)):
        assert len(site.ask(operation, f"Bearer {key}").json()["data"]) == 2


@pytest.mark.parametrize(
    ("sender", "status"),
    [
        ("shop@shop.example", 200),
        ("SHOP@SHOP.EXAMPLE", 200),
        ("Shop <news@shop.example>", 200),
        ("ceo@other.example", 403),
        ("a@shop.example.other.example", 403),
        ("a@sub.shop.example", 403),
        ('"shop@shop.example" <ceo@other.example>', 403),
    ],
)
def test_a_mail_is_from_whom_the_key_allows_or_403(site, sender, status):
    (operation,) = (o for o in NEEDED if o.id == "submitMail")
    key = site.key(SEND, allowed_from=["@shop.example"])
    waiting = site.app.mails.depth().ready
    reply = site.ask(operation, f"Bearer {key}", **{"from": sender})
    assert reply.status_code == status
    assert site.app.mails.depth().ready - waiting == (status == 200)
    assert "other.example" not in reply.content.decode()


@pytest.mark.parametrize("operation", OPEN, ids=named)
@pytest.mark.parametrize("authorization", [None, f"Bearer {WRONG}", "nonsense"])
def test_what_is_open_asks_for_no_key(site, operation, authorization):
    assert site.ask(operation, authorization).status_code == 200
