"""Keys of one client, and what is done to a key while its client waits."""

import asyncio
import contextlib
import json

import pytest
from starlette.testclient import TestClient

from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.access.api_key import KeyScope
from limbo.domain.access.networks import parse_networks
from tests.support.asgi import call
from tests.support.clock import run_leaping
from tests.support.http_app import BODY, MAIL
from tests.support.whole_app import WholeApp

SEND, READ, ADMIN = KeyScope


@pytest.fixture(params=["memory", "sqlite"])
def site(request, tmp_path):
    if request.param == "memory":
        yield WholeApp()
        return
    url = f"sqlite:///{tmp_path}/limbo.db"
    with contextlib.closing(SqliteDatabase.connect(url)) as database:
        yield WholeApp(database=database)


def ask(site, key, method, path, document=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = b"" if document is None else json.dumps(document).encode()
    return site.ask(method, path, body, {"Authorization": f"Bearer {key}"} | names)


def test_a_key_that_takes_anothers_place_has_its_mails_and_its_idempotency_keys(site):
    old_id, old = site.keys.create(SEND, READ, client_id="shop")
    new_id, new = site.keys.create(SEND, READ, client_id="shop")
    _, other = site.keys.create(SEND, READ, client_id="blog")
    first = ask(site, old, "POST", "/v1/mail", MAIL, Idempotency_Key="order-1")
    again = ask(site, new, "POST", "/v1/mail", MAIL, Idempotency_Key="order-1")
    foreign = ask(site, other, "POST", "/v1/mail", MAIL, Idempotency_Key="order-1")
    path = first.headers["location"]
    assert again.headers["location"] == path != foreign.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert site.mails.depth().ready == 2
    second = ask(site, new, "POST", "/v1/mail", MAIL).headers["location"]
    shown = [ask(site, new, "GET", p).json() for p in (path, second)]
    assert [(mail["client"], mail["key"]) for mail in shown] == [("shop", old_id), ("shop", new_id)]
    assert ask(site, other, "GET", path).status_code == 404
    assert ask(site, new, "DELETE", path).status_code == 200


def test_a_key_that_reads_alone_sees_its_clients_mails(site):
    _, sender = site.keys.create(SEND, client_id="shop")
    _, reader = site.keys.create(READ, client_id="shop")
    path = ask(site, sender, "POST", "/v1/mail", MAIL).headers["location"]
    assert ask(site, reader, "GET", path).json()["status"] == "queued"
    assert len(ask(site, reader, "GET", "/v1/mail").json()["data"]) == 1
    assert ask(site, sender, "GET", path).status_code == 403


def test_the_list_is_by_client_and_by_key_and_never_anothers(site):
    key, shops = site.keys.create(SEND, READ, client_id="shop")
    _, admin = site.keys.create(READ, ADMIN)
    mails = [site.submit("shop", key), site.submit("shop", "other"), site.submit("blog", "blogs")]

    def listed(by, query):
        page = ask(site, by, "GET", f"/v1/mail?{query}").json()
        return {mail["id"] for mail in page["data"]}

    shop, other, blog = (mail.id for mail in mails)
    assert listed(admin, "client=shop") == {shop, other}
    assert listed(admin, f"key={key}") == listed(admin, f"client=shop&key={key}") == {shop}
    assert listed(admin, "key=blogs&status=queued") == {blog}
    assert listed(admin, "client=blog&key=other") == listed(admin, "client=nobody") == set()
    assert listed(shops, f"key={key}") == {shop}
    assert listed(shops, "client=shop") == {shop, other}
    assert listed(shops, "client=blog") == listed(shops, "key=blogs") == set()
    assert ask(site, admin, "GET", "/v1/mail?client=a%20b").status_code == 400


def test_a_mail_without_a_key_shows_none():
    site = WholeApp(anonymous=[SEND, READ])
    reply = site.ask("GET", site.ask("POST", "/v1/mail", BODY).headers["location"])
    assert reply.json()["client"] == "anonymous"
    assert "key" not in reply.json()


def test_a_poll_ends_when_its_key_is_revoked():
    site = WholeApp()
    id_, key = site.keys.create(SEND, READ)
    authorization = {"Authorization": f"Bearer {key}"}
    path = f"/v1/mail/{site.submit(id_).id}?wait=60"

    async def use():
        async with site.app.router.lifespan_context(site.app):
            poll = asyncio.ensure_future(
                call(site.app, "GET", path, headers=authorization, then="wait")
            )
            await asyncio.get_running_loop().leap()
            site.keys.revoke(id_, 1.0)
            await asyncio.get_running_loop().leap(2)
            reply = await poll
        assert reply.status_code == 401
        assert reply.json()["Problem"] == "the API key has been revoked"

    run_leaping(use())


@pytest.mark.parametrize("path", ["/v1/mail", "/v1/mail/cancel"])
def test_a_body_that_comes_after_its_key_is_revoked_does_nothing(path):
    site = WholeApp()
    id_, key = site.keys.create(*KeyScope)
    mail = site.submit(id_)
    body = BODY if path == "/v1/mail" else b'{"all": true}'

    async def revoke():
        site.keys.revoke(id_, 1.0)
        await site.access.cache.refresh()

    async def use(app):
        return await call(
            app, "POST", path, body, {"Authorization": f"Bearer {key}"}, meanwhile=revoke
        )

    assert site.run(use).status_code == 401
    assert site.mails.depth().ready == 1
    assert site.ledger_reader.find(mail.id, None).status == "queued"


@pytest.mark.parametrize(
    ("peer", "forwarded", "status"),
    [
        ("192.0.2.7", None, 200),
        ("192.0.3.7", None, 403),
        ("192.0.3.7", "192.0.2.7", 403),
        ("10.0.0.1", "192.0.2.7", 200),
        ("10.0.0.1", "192.0.2.7, 192.0.3.7", 403),
        ("10.0.0.1", None, 403),
        ("10.0.0.1", "nonsense", 403),
    ],
)
def test_a_key_is_good_in_its_networks_alone(peer, forwarded, status):
    site = WholeApp(trusted_proxies=parse_networks(["10.0.0.0/8"]))
    _, key = site.keys.create(READ, networks=parse_networks(["192.0.2.0/24"]))
    headers = {"Authorization": f"Bearer {key}"}
    if forwarded is not None:
        headers["X-Forwarded-For"] = forwarded
    with TestClient(site.app, client=(peer, 4711)) as client:
        reply = client.get("/v1/mail", headers=headers)
    assert reply.status_code == status
    if status == 403:
        assert reply.json()["Problem"] == "this API key may not be used from this address"
