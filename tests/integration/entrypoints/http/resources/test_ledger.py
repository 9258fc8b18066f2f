"""The HTTP routes over what really keeps mails."""

import asyncio
import contextlib
import json
import time

import pytest
from structlog.testing import capture_logs

from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.access.api_key import KeyScope
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.delivery.verdict import Cause, Failed, Fault
from tests.support.asgi import call
from tests.support.http_app import BODY, MAIL
from tests.support.whole_app import ACCEPTED, FAILED, WholeApp

GONE = Cause(kind="outage", sender="fake.a", reason="gone")
BAD = Cause(kind="mail", sender="fake.b", reason="bad")


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def make(request, tmp_path):
    with contextlib.ExitStack() as stack:

        def make(**options):
            if request.param == "sqlite":
                database = SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db")
            elif request.param == "postgresql":
                database = PostgresDatabase.connect(request.getfixturevalue("postgres_url"))
            else:
                return WholeApp(**options)
            stack.enter_context(contextlib.closing(database))
            return WholeApp(database=database, **options)

        yield make


class Client:
    """One client's requests, one after the other, within one run of the application."""

    def __init__(self, site, *scopes, allowed_from=("*",)):
        self.site = site
        self.id, self.key = site.keys.create(*(scopes or KeyScope), allowed_from=allowed_from)

    async def __call__(self, method, path, document=None, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        body = b"" if document is None else json.dumps(document).encode()
        authorization = {"Authorization": f"Bearer {self.key}"}
        return await call(self.site.app, method, path, body, authorization | names, then="wait")


@pytest.fixture
def site(make):
    return make()


@pytest.fixture
def shop(site):
    return Client(site)


def run(site, *requests):
    """Return the answers to the coroutines, made within one run of the application."""

    async def use(_):
        return [await request for request in requests]

    return site.run(use)


def test_a_mail_is_found_where_its_location_says(site, shop):
    async def use(_):
        posted = await shop("POST", "/v1/mail", MAIL | {"cc": "Carol <carol@example.org>"})
        return await shop("GET", posted.headers["location"])

    reply = site.run(use)
    assert reply.status_code == 200
    mail = reply.json()
    assert mail.pop("id")
    assert mail.pop("submitted_at") <= mail.pop("updated_at")
    assert mail == {
        "client": shop.id,
        "key": shop.id,
        "status": "queued",
        "from": "Alice <alice@example.com>",
        "to": ["bob@example.org"],
        "cc": ["Carol <carol@example.org>"],
        "bcc": [],
        "subject": "Hello",
        "possible_duplicate": False,
        "attempts": [],
    }


def test_the_timeline_of_a_mail(site, shop):
    mail = site.submit(shop.id)
    site.try_out(mail, Status.DEFERRED, FAILED)
    (deferred,) = run(site, shop("GET", f"/v1/mail/{mail.id}"))
    site.try_out(mail, Status.SENDING)
    (sending,) = run(site, shop("GET", f"/v1/mail/{mail.id}"))
    time.sleep(0.002)
    site.try_out(mail, Status.SENT, ACCEPTED)
    (sent,) = run(site, shop("GET", f"/v1/mail/{mail.id}"))
    assert [reply.json()["status"] for reply in (deferred, sending, sent)] == [
        "deferred",
        "sending",
        "sent",
    ]
    assert deferred.json()["next_attempt_at"] > deferred.json()["updated_at"]
    assert sending.json()["attempts"][1].keys() == {"sender", "started_at", "outcome"}
    first, second, third = sent.json()["attempts"]
    assert first.pop("started_at") < second.pop("started_at") < third.pop("started_at")
    assert first == {
        "sender": "fake.a",
        "outcome": "outage",
        "reason": "cannot reach it",
        "duration_ms": 250,
    }
    assert second == {"sender": "fake.a", "outcome": None}
    assert third == {
        "sender": "fake.a",
        "outcome": "accepted",
        "provider_id": "p-1",
        "duration_ms": 250,
    }


def test_a_dead_mail_says_what_it_died_of(site, shop):
    mail = site.submit(shop.id)
    site.try_out(mail, Status.DEAD, FAILED)
    (reply,) = run(site, shop("GET", f"/v1/mail/{mail.id}"))
    assert reply.json()["status"] == "dead"
    assert reply.json()["cause"] == {
        "id": GONE.id,
        "kind": "outage",
        "sender": "fake.a",
        "reason": "gone",
    }


def test_pages_go_from_the_newest_to_the_oldest_and_do_not_shift(site, shop):
    mails = [site.submit(shop.id, subject=f"mail {n}") for n in range(7)]
    found = []

    async def use(_):
        after, more = "", True
        while more:
            page = (await shop("GET", f"/v1/mail?limit=3{after}")).json()
            found.extend(entry["id"] for entry in page["data"])
            more = page["has_more"]
            after = f"&after={found[-1]}"
            site.submit(shop.id)
            assert len(found) < 10

    site.run(use)
    assert found == sorted((mail.id for mail in mails), reverse=True)


def test_the_list_holds_what_was_asked_for(site, shop):
    mails = [
        site.submit(shop.id, to=f"{name}@example.org", cc="team@example.org")
        for name in ("ann", "bob", "cy")
    ]
    site.try_out(mails[1], Status.SENT, ACCEPTED)
    since = mails[2].submitted_at
    queries = {
        "": {0, 1, 2},
        "?status=sent": {1},
        "?status=queued": {0, 2},
        "?to=Bob%20%3CBOB@Example.org%3E": {1},
        "?to=team@example.org": {0, 1, 2},
        "?to=nobody@example.org": set(),
        f"?since={since + 1:f}": set(),
        "?since=1e3": {0, 1, 2},
        "?since=2001-02-03T04:05:06%2B02:00&status=queued&limit=100": {0, 2},
    }
    replies = run(site, *(shop("GET", f"/v1/mail{query}") for query in queries))
    for reply, wanted in zip(replies, queries.values(), strict=True):
        assert reply.status_code == 200
        assert {entry["id"] for entry in reply.json()["data"]} == {mails[n].id for n in wanted}
        assert reply.json()["has_more"] is False
    entry = replies[1].json()["data"][0]
    assert (entry["to"], entry["cc"], entry["bcc"]) == (
        ["bob@example.org"],
        ["team@example.org"],
        [],
    )
    assert "attempts" not in entry


def test_a_mail_that_waits_can_be_cancelled_and_stays_so(site, shop):
    mail = site.submit(shop.id)
    path = f"/v1/mail/{mail.id}"
    replies = run(site, shop("DELETE", path), shop("DELETE", path), shop("GET", path))
    assert [reply.status_code for reply in replies] == [200, 200, 200]
    assert {reply.json()["status"] for reply in replies} == {"cancelled"}
    assert replies[0].json() == replies[1].json() == {"id": mail.id, "status": "cancelled"}


@pytest.mark.parametrize(("status", "verdict"), [("sent", ACCEPTED), ("sending", None)])
def test_it_can_be_too_late_to_cancel(site, shop, status, verdict):
    mail = site.submit(shop.id)
    site.try_out(mail, Status(status), verdict)
    (reply,) = run(site, shop("DELETE", f"/v1/mail/{mail.id}"))
    assert reply.status_code == 409
    assert reply.json() == {
        "Message": "not done",
        "Problem": f"too late to cancel the mail: it is {status}",
        "code": "too_late",
    }


def test_a_wait_ends_when_the_mail_is_settled(site, shop):
    mail = site.submit(shop.id)

    async def use(_):
        started = time.monotonic()
        waiting = asyncio.create_task(shop("GET", f"/v1/mail/{mail.id}?wait=30"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await asyncio.to_thread(site.try_out, mail, Status.SENT, ACCEPTED)
        reply = await waiting
        return reply, time.monotonic() - started

    reply, seconds = site.run(use)
    assert reply.json()["status"] == "sent"
    assert 0.3 <= seconds < 20


def test_the_same_under_the_same_key_is_answered_the_same_and_kept_once(site, shop):
    other = {name: MAIL[name] for name in reversed(MAIL)} | {"to": "bob@example.org"}

    async def use(_):
        first = await shop("POST", "/v1/mail", MAIL, Idempotency_Key="order 1")
        again = await shop("POST", "/v1/mail", other, Idempotency_Key='"order 1"')
        preferring = {"Idempotency_Key": "order 1", "Prefer": "return=representation"}
        shown = await shop("POST", "/v1/mail", MAIL, **preferring)
        found = await shop("GET", first.headers["location"])
        listed = await shop("GET", "/v1/mail")
        return first, again, shown, found, listed

    first, again, shown, found, listed = site.run(use)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert shown.json()["id"] == found.json()["id"]
    assert shown.json()["submitted_at"] == found.json()["submitted_at"]
    assert len(listed.json()["data"]) == 1
    assert len(site.mails.receive(10, 0)) == 1


def test_another_mail_under_the_same_key_is_422(site, shop):
    async def use(_):
        await shop("POST", "/v1/mail", MAIL, Idempotency_Key="a")
        refused = await shop("POST", "/v1/mail", MAIL | {"subject": "x"}, Idempotency_Key="a")
        return refused, await shop("POST", "/v1/mail", MAIL | {"subject": "x"})

    refused, posted = site.run(use)
    assert refused.status_code == 422
    assert "another mail" in refused.json()["Problem"]
    assert posted.status_code == 200


def test_a_key_is_each_clients_own_and_a_refused_mail_leaves_none(site, shop):
    other = Client(site)
    replies = run(
        site,
        shop("POST", "/v1/mail", {}, Idempotency_Key="a"),
        shop("POST", "/v1/mail", MAIL, Idempotency_Key="a"),
        other("POST", "/v1/mail", MAIL | {"subject": "x"}, Idempotency_Key="a"),
    )
    assert [reply.status_code for reply in replies] == [400, 200, 200]


def test_fifty_at_once_with_one_key_are_one_mail(site, shop):
    async def use(_):
        posts = (shop("POST", "/v1/mail", MAIL, Idempotency_Key="a") for _ in range(50))
        replies = await asyncio.gather(*posts)
        assert {reply.status_code for reply in replies} <= {200, 409}
        last = await shop("POST", "/v1/mail", MAIL, Idempotency_Key="a")
        kept = [*replies, last]
        assert len({r.headers["location"] for r in kept if r.status_code == 200}) == 1
        return (await shop("GET", "/v1/mail")).json()

    assert len(site.run(use)["data"]) == 1
    assert len(site.mails.receive(100, 0)) == 1


def buried(site, client, *causes):
    for cause in causes:
        mail = site.submit(client.id, subject="secret", message="secret", to="secret@example.org")
        site.bury(cause)
    return mail


def test_the_dead_letters_are_shown_without_their_content(site, shop):
    mail = buried(site, shop, BAD, GONE, GONE)

    async def use(_):
        with capture_logs() as logs:
            page = (await shop("GET", "/v1/dead-letters?limit=2")).json()
            last = page["data"][-1]["id"]
            rest = (await shop("GET", f"/v1/dead-letters?after={last}")).json()
            causes = (await shop("GET", "/v1/dead-letters/causes")).json()
            newest = (await shop("GET", f"/v1/dead-letters/{page['data'][0]['id']}")).json()
        assert "secret" not in f"{page}{rest}{causes}{newest}{logs}"
        return page, rest, causes, newest, (await shop("GET", f"/v1/dead-letters/{mail.id}")).json()

    page, rest, causes, newest, of_mail = site.run(use)
    assert (len(page["data"]), page["has_more"]) == (2, True)
    assert (len(rest["data"]), rest["has_more"]) == (1, False)
    assert rest["data"][0]["cause"]["kind"] == "mail"
    assert newest == of_mail == page["data"][0]
    assert newest["mail_id"] == mail.id
    assert newest["attempts"][0]["reason"] == "cannot reach it"
    counts = [(each["cause"]["id"], each["count"]) for each in causes["data"]]
    assert counts == [(GONE.id, 2), (BAD.id, 1)]


@pytest.mark.parametrize(
    ("choice", "count"),
    [
        ({"all": True}, 3),
        ({"cause": "outage"}, 2),
        ({"cause": BAD.id}, 1),
    ],
)
@pytest.mark.parametrize(
    "action",
    [
        ("POST", "/v1/dead-letters/redrive", "redriven"),
        ("DELETE", "/v1/dead-letters", "dropped"),
    ],
)
def test_dead_letters_are_redriven_or_dropped_as_chosen(site, shop, choice, count, action):
    buried(site, shop, BAD, GONE, GONE)
    method, path, done = action
    with capture_logs() as logs:
        reply, left = run(site, shop(method, path, choice), shop("GET", "/v1/dead-letters"))
    (line,) = (line for line in logs if line["log_level"] == "info")
    performed = {"redriven": "dead-letters.redrive", "dropped": "dead-letters.drop"}[done]
    assert (line["event"], line["action"], line["count"]) == ("admin action", performed, count)
    assert (reply.status_code, reply.json()) == (200, {done: count, "not_found": []})
    assert len(left.json()["data"]) == 3 - count
    assert len(site.mails.receive(10, 0)) == (count if done == "redriven" else 0)


@pytest.mark.parametrize(
    "choice",
    [{"cause": "nothing"}, {"ids": ["nope"]}, {"ids": ["nothing", "no id!", "\x00"]}],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/dead-letters/redrive"), ("DELETE", "/v1/dead-letters")],
)
def test_what_names_no_dead_letter_is_no_success(site, shop, choice, method, path):
    buried(site, shop, GONE)
    reply, left = run(site, shop(method, path, choice), shop("GET", "/v1/dead-letters"))
    assert (reply.status_code, reply.json()["code"]) == (404, "dead_letter_not_found")
    assert len(left.json()["data"]) == 1


def test_ids_that_are_not_found_are_named_and_case_does_not_count(site, shop):
    mail = buried(site, shop, GONE)
    choice = {"ids": ["nope", mail.id.upper(), "no id!"]}

    async def use(_):
        shown = await shop("GET", f"/v1/dead-letters/{mail.id.upper()}")
        return shown, await shop("POST", "/v1/dead-letters/redrive", choice)

    shown, redriven = site.run(use)
    assert shown.json()["mail_id"] == mail.id
    assert redriven.json() == {"redriven": 1, "not_found": ["nope", "no id!"]}


def test_the_dead_letters_of_one_cause_or_kind_are_listed(site, shop):
    buried(site, shop, BAD, GONE, GONE)
    paths = [f"/v1/dead-letters?cause={name}&limit=1" for name in (GONE.id, "outage", "mail", "x")]
    pages = [reply.json() for reply in run(site, *(shop("GET", path) for path in paths))]
    kinds = [[each["cause"]["kind"] for each in page["data"]] for page in pages]
    assert kinds == [["outage"], ["outage"], ["mail"], []]
    assert [page["has_more"] for page in pages] == [True, True, False, False]


@pytest.mark.parametrize("path", ["/v1/mail", "/v1/dead-letters"])
def test_a_page_behind_what_is_not_there_is_refused(site, shop, path):
    mail = buried(site, shop, GONE)
    afters = ["zzz", "ffffffff-ffff-7fff-bfff-ffffffffffff", "0"]
    replies = run(site, *(shop("GET", f"{path}?after={after}") for after in afters))
    assert [(each.status_code, each.json()["code"]) for each in replies] == [
        (400, "unknown_position")
    ] * 3
    if path == "/v1/mail":
        other, known = run(
            site,
            Client(site, KeyScope.READ)("GET", f"{path}?after={mail.id}"),
            shop("GET", f"{path}?after={mail.id.upper()}"),
        )
        assert (other.status_code, known.status_code) == (400, 200)


FIELDS = {
    "from": "Shop <shop@example.com>",
    "to": ["Bob <bob@example.org>", "b2@example.org"],
    "cc": ["Carol <carol@example.org>"],
    "bcc": ["dan@example.org"],
    "subject": "Hello",
}


def test_the_list_shows_the_fields_as_the_resource_does(site, shop):
    async def use(_):
        posted = await shop("POST", "/v1/mail", {**FIELDS, "message": "m"})
        await shop("POST", "/v1/mail", MAIL | {"from": "a@example.com"})
        page = (await shop("GET", "/v1/mail")).json()["data"]
        return page, (await shop("GET", posted.headers["location"])).json()

    (plain, entry), resource = site.run(use)
    assert {name: entry[name] for name in FIELDS} == FIELDS
    assert {name: resource[name] for name in FIELDS} == FIELDS
    assert (plain["to"], plain["cc"], plain["bcc"]) == (["bob@example.org"], [], [])
    assert "recipients" not in entry


@pytest.mark.parametrize("fault", ["account", "outage", "identity"])
def test_what_a_provider_says_of_the_account_or_an_outage_is_for_admins(site, shop, fault):
    own, reason = Client(site, KeyScope.SEND, KeyScope.READ), "account 123456789012 owes 5 USD"
    mail = site.submit(own.id)
    failed = Failed(Fault(fault), reason)
    site.try_out(mail, Status.DEAD, failed, cause=Cause(kind=fault, sender="ses", reason=reason))
    paths = (f"/v1/mail/{mail.id}", "/v1/mail")
    mine, listed = run(site, *(own("GET", path) for path in paths))
    for_admins, _ = run(site, *(shop("GET", path) for path in paths))
    assert for_admins.json()["attempts"][0]["reason"] == reason
    assert for_admins.json()["cause"]["reason"] == reason
    shown = (mine.json()["attempts"][0], mine.json()["cause"], listed.json()["data"][0]["cause"])
    assert all((each["reason"] == reason) is (fault == "identity") for each in shown)
    assert mine.json()["attempts"][0]["outcome"] == fault


def test_a_key_that_may_not_read_sees_nothing_of_what_it_cancels(site):
    sender = Client(site, KeyScope.SEND)
    mail = site.submit(sender.id, subject="secret", to="secret@example.org")
    (reply,) = run(site, sender("DELETE", f"/v1/mail/{mail.id}"))
    assert reply.json() == {"id": mail.id, "status": "cancelled"}


def test_who_gets_no_place_to_wait_is_told_so(make):
    site = make(long_polls_of_one=0)
    shop = Client(site)
    mail = site.submit(shop.id)
    waiting, plain = run(
        site, shop("GET", f"/v1/mail/{mail.id}?wait=60"), shop("GET", f"/v1/mail/{mail.id}")
    )
    assert (waiting.status_code, waiting.json()["status"]) == (200, "queued")
    assert (waiting.headers["limbo-wait"], waiting.headers["retry-after"]) == ("not-held", "1")
    assert "limbo-wait" not in plain.headers


def test_one_dead_letter_by_its_id(site, shop):
    mail = buried(site, shop, GONE, GONE)

    async def use(_):
        page = (await shop("GET", "/v1/dead-letters")).json()["data"]
        ids = {"ids": [page[1]["id"], page[1]["id"]]}
        redriven = await shop("POST", "/v1/dead-letters/redrive", ids)
        dropped = await shop("DELETE", f"/v1/dead-letters/{mail.id}")
        return redriven, dropped, await shop("DELETE", f"/v1/dead-letters/{mail.id}")

    redriven, dropped, gone = site.run(use)
    assert redriven.json() == {"redriven": 1, "not_found": []}
    assert dropped.json() == {"dropped": 1, "not_found": []}
    assert (gone.status_code, gone.json()["Problem"]) == (404, "no such dead letter")


def test_a_mail_of_nobody_is_seen_by_nobody_with_a_key_but_admins(make):
    site = make(anonymous=[KeyScope.SEND, KeyScope.READ])
    reader, admin = Client(site, KeyScope.READ), Client(site, KeyScope.READ, KeyScope.ADMIN)

    async def use(app):
        path = (await call(app, "POST", "/v1/mail", BODY)).headers["location"]
        return await asyncio.gather(call(app, "GET", path), reader("GET", path), admin("GET", path))

    assert [reply.status_code for reply in site.run(use)] == [200, 404, 200]
