# ruff: noqa: RUF001 - look-alikes are what is tried here
import asyncio
import base64
import threading
from collections.abc import Collection, Mapping

import pytest
from structlog.testing import capture_logs

from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import ApiKey, KeyScope
from limbo.domain.access.credential import Credential, new_credential
from limbo.domain.access.networks import parse_networks
from limbo.domain.access.rate import Rate
from limbo.domain.errors import ApiKeysUnavailable
from limbo.domain.mail.address import parse_address
from limbo.entrypoints.http.access.access import Access, check_from
from limbo.entrypoints.http.access.key_cache import KeyCache
from limbo.entrypoints.http.server.problems import HttpRefusal, problem_response
from tests.contracts.api_keys import READER, REVOKED, a_key
from tests.support.api_keys import MemoryApiKeys
from tests.support.asgi import call
from tests.support.clock import Clock, run_leaping

NO_RULES = parse_allow_list([])
SEND, READ, ADMIN = KeyScope.SEND, KeyScope.READ, KeyScope.ADMIN
SHOP, OLD, WATCH, ROOT, SLOW, NOBODY = (new_credential() for _ in range(6))
KEYS = (
    a_key(SHOP, scopes=frozenset({SEND}), rate=None),
    a_key(OLD, revoked_at=REVOKED),
    a_key(WATCH, **READER),
    a_key(ROOT, **{**READER, "scopes": frozenset({ADMIN})}),
    a_key(SLOW, rate=Rate(2, "s")),
)
GUESS = Credential(SHOP.id, NOBODY.secret)
OLD_GUESS = Credential(OLD.id, NOBODY.secret)


class ScriptedKeys(MemoryApiKeys):
    """Finds keys, or does as told; ``gate`` holds it up while cleared.

    ``asked`` are the ids of all questions; ``questions`` counts them.
    """

    def __init__(self, *keys: ApiKey) -> None:
        super().__init__(*keys)
        self.asked: list[str] = []
        self.questions = 0
        self.noted: list[Mapping[str, float]] = []
        self.at_once = self.most_at_once = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def find(self, ids: Collection[str]) -> Mapping[str, ApiKey]:
        self.asked += ids
        self.questions += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.gate.wait(30)
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        return super().find(ids)

    def note_uses(self, uses: Mapping[str, float]) -> None:
        self.noted.append(uses)
        if self.error is not None:
            raise self.error
        super().note_uses(uses)


@pytest.fixture
def keys() -> ScriptedKeys:
    return ScriptedKeys(*KEYS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(keys, clock) -> Access:
    return Access(keys, now=clock.now, clock=clock.now)


def bearer(credential: Credential) -> bytes:
    return b"Bearer " + credential.reveal().encode()


def basic(credential: Credential, user: str = "api") -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{credential.reveal()}".encode())


def a_scope(*authorizations: bytes, body: bool = False):
    length = [(b"content-length", b"12")] if body else []
    return {
        "type": "http",
        "client": ("127.0.0.1", 1),
        "headers": [
            (b"host", b"limbo"),
            *length,
            *((b"authorization", value) for value in authorizations),
        ],
    }


async def refusal(access: Access, *authorizations: bytes, needs: KeyScope = SEND) -> HttpRefusal:
    with pytest.raises(HttpRefusal) as raised:
        await access.authenticate(a_scope(*authorizations), needs)
    return raised.value


def told(refused: HttpRefusal) -> str:
    return "; ".join(problem.detail for problem in refused.problems)


TYPO = bearer(SHOP)[:-1] + (b"0" if bearer(SHOP)[-1:] != b"0" else b"1")
KEY = SHOP.reveal().encode()
REFUSALS = {
    "no key": ((), SEND, 401, "no API key; send it as"),
    "empty": ((b"",), SEND, 401, "no API key in the Authorization header"),
    "scheme alone": ((b"Bearer",), SEND, 401, "no API key in"),
    "key alone": ((KEY,), SEND, 401, "no API key in"),
    "other scheme": ((b"Digest " + KEY,), SEND, 401, "no API key in"),
    "no key after Bearer": ((b"Bearer hello",), SEND, 401, "not of the form limbo_"),
    "two words": ((b"Bearer " + KEY + b" x",), SEND, 401, "no API key in"),
    "two keys": ((b"Bearer " + KEY + b"," + KEY,), SEND, 401, "not of the form"),
    "two headers": ((bearer(SHOP), bearer(SHOP)), SEND, 401, "more than one"),
    "two headers, one broken": ((bearer(SHOP), b""), SEND, 401, "more than one"),
    "not ASCII": (("Bearer ключ".encode(),), SEND, 401, "no API key in"),
    "latin-1": ((b"Bearer limbo_\xe9",), SEND, 401, "no API key in"),
    "control": ((b"Bearer " + KEY + b"\x00",), SEND, 401, "no API key in"),
    "newline": ((b"Bearer " + KEY + b"\n",), SEND, 401, "no API key in"),
    "huge": ((b"Bearer " + b"x" * 1_000_000,), SEND, 401, "no API key in"),
    "huge spaces": ((b"Bearer" + b" " * 1_000_000 + b"\n",), SEND, 401, "no API key in"),
    "huge Basic": ((basic(SHOP, "u" * 10_000),), SEND, 401, "no API key in"),
    "Basic, no base64": ((b"Basic a:b",), SEND, 401, "base64"),
    "Basic, cut": ((basic(SHOP)[:-1],), SEND, 401, "base64|form"),
    "Basic, not ASCII": ((b"Basic " + base64.b64encode(b"\xff:\xfe"),), SEND, 401, "base64"),
    "Basic, no colon": ((b"Basic " + base64.b64encode(KEY),), SEND, 401, "not of the form"),
    "Basic, as user": ((b"Basic " + base64.b64encode(KEY + b":"),), SEND, 401, "not of the form"),
    "-u KEY:": ((b"Basic " + base64.b64encode(KEY + b":"),), SEND, 401, "it is the password"),
    "typo": ((TYPO,), SEND, 401, "mistyped or cut"),
    "cut": ((bearer(SHOP)[:-1],), SEND, 401, "not of the form"),
    "other case": ((b"Bearer " + KEY.upper(),), SEND, 401, "not of the form"),
    "unknown id": ((bearer(NOBODY),), SEND, 401, "not known here"),
    "wrong secret": ((bearer(GUESS),), SEND, 401, "not known here"),
    "wrong secret, Basic": ((basic(GUESS),), SEND, 401, "not known here"),
    "wrong secret of a revoked key": ((bearer(OLD_GUESS),), SEND, 401, "not known here"),
    "revoked": ((bearer(OLD),), SEND, 401, "has been revoked"),
    "send for read": ((bearer(SHOP),), READ, 403, "lacks the scope read"),
    "send for admin": ((bearer(SHOP),), ADMIN, 403, "lacks the scope admin"),
    "read for send": ((bearer(WATCH),), SEND, 403, "lacks the scope send"),
    "admin for send": ((bearer(ROOT),), SEND, 403, "lacks the scope send"),
    "admin for read": ((bearer(ROOT),), READ, 403, "lacks the scope read"),
}


@pytest.mark.parametrize(
    ("authorizations", "needs", "status", "says"), REFUSALS.values(), ids=REFUSALS
)
def test_whoever_may_not_is_told_why_and_no_more(access, authorizations, needs, status, says):
    with capture_logs() as logs:
        refused = asyncio.run(refusal(access, *authorizations, needs=needs))
    assert refused.status == status
    assert any(part in told(refused) for part in says.split("|"))
    challenges = [value for name, value in refused.headers if name == b"www-authenticate"]
    assert [value.split()[0] for value in challenges] == ([b"Bearer"] if status == 401 else [])
    shown = f"{told(refused)} {logs}"
    for credential in (SHOP, NOBODY, OLD):
        assert credential.secret not in shown
        assert credential.id not in shown


ADMISSIONS = {
    "bearer": bearer(SHOP),
    "bearer in any case": b"bEARER " + KEY,
    "more spaces": b"Bearer \t " + KEY + b"  ",
    "basic": basic(SHOP),
    "basic in any case": basic(SHOP).replace(b"Basic", b"BASIC"),
    "basic without a user": basic(SHOP, ""),
    "basic with any user": basic(SHOP, "shop@shop.example"),
}


@pytest.mark.parametrize("authorization", ADMISSIONS.values(), ids=ADMISSIONS)
def test_a_key_that_is_good_for_it_lets_its_client_in(access, authorization):
    client = asyncio.run(access.authenticate(a_scope(authorization), SEND))
    assert (client.id, client.scopes, client.visible_client) == (SHOP.id, {SEND}, SHOP.id)


@pytest.mark.parametrize(
    ("sender", "allowed"),
    [
        ("a@shop.example", True),
        ("A@SHOP.Example", True),
        ("a@ｓhop.example", True),
        ('"x@evil.example" <a@shop.example>', True),
        ("a@de.shop.example", True),
        ("BOSS@x.example", True),
        ("a@x.example", False),
        ("CEO@EXAMPLE.ORG", False),
        ("ceo@ｅxample.org", False),
        ("a@ѕhop.example", False),
        ("a@xn--hop-9cd.example", False),
        ("a@shop.example.org", False),
        ('"ceo@shop.example" <x@evil.example>', False),
    ],
)
def test_a_client_sends_as_those_on_its_key_s_list_alone(access, sender, allowed):
    client = asyncio.run(access.authenticate(a_scope(bearer(SHOP)), SEND))
    if allowed:
        check_from(client, parse_address(sender))
        return
    with pytest.raises(HttpRefusal) as raised:
        check_from(client, parse_address(sender))
    assert raised.value.status == 403
    assert raised.value.pointers == ["/from"]
    assert "may not send from that address" in told(raised.value)
    assert sender.rpartition("@")[2].strip(">") not in told(raised.value)


def test_the_answer_is_as_all_of_limbo_s_and_closes_what_was_not_read(access):
    async def app(scope, receive, send):
        try:
            await access.authenticate(scope, READ, message="no mail for you")
        except HttpRefusal as refused:
            await problem_response(refused, scope)(scope, receive, send)

    reply = asyncio.run(call(app, "POST", "/", b"{}", {"Content-Length": "2"}))
    assert reply.status_code == 401
    assert reply.json()["Message"] == "no mail for you"
    assert reply.json()["Problem"].startswith("no API key")
    assert reply.headers["connection"] == "close"
    assert "connection" not in asyncio.run(call(app, "GET", "/")).headers


# Without a key


def test_who_sends_no_key_may_what_everybody_may(keys, clock):
    access = Access(keys, now=clock.now, anonymous_scopes=[SEND])
    client = asyncio.run(access.authenticate(a_scope(), SEND))
    assert (client.id, client.visible_client) == ("anonymous", "anonymous")
    assert access.anonymous_scopes == client.scopes == {SEND}
    check_from(client, parse_address("anybody@anywhere.example"))
    assert asyncio.run(refusal(access, needs=READ)).status == 401


def test_a_bad_key_is_not_taken_for_none(keys, clock):
    access = Access(keys, now=clock.now, anonymous_scopes=list(KeyScope))
    for authorization in (bearer(NOBODY), bearer(OLD), b"Bearer", TYPO):
        assert asyncio.run(refusal(access, authorization)).status == 401


def test_where_there_are_no_keys_one_that_is_sent_counts_for_nothing():
    access = Access(None, anonymous_scopes=[SEND, READ])
    for authorizations in ((), (bearer(SHOP),), (b"nonsense",), (b"", b"")):
        client = asyncio.run(access.authenticate(a_scope(*authorizations), READ))
        assert client.id == "anonymous"
    assert asyncio.run(refusal(access, bearer(SHOP), needs=ADMIN)).status == 401


# Rates


def test_too_many_requests_of_one_key_are_put_off_and_no_other_s(access, clock):
    async def use() -> None:
        for _ in range(2):
            await access.authenticate(a_scope(bearer(SLOW)), READ)
        refused = await refusal(access, bearer(SLOW), needs=READ)
        assert refused.status == 429
        assert "2/s" in told(refused)
        assert (b"retry-after", b"1") in refused.headers
        await access.authenticate(a_scope(bearer(SHOP)), SEND)
        clock.time += 0.5
        await access.authenticate(a_scope(bearer(SLOW)), READ)
        assert (await refusal(access, bearer(SLOW), needs=READ)).status == 429

    asyncio.run(use())


def test_a_rate_lets_its_whole_amount_through_at_once_and_then_in_each_unit(keys, access, clock):
    keys.add(a_key(SLOW, rate=Rate(3, "min")))

    async def use() -> None:
        for _ in range(3):
            await access.authenticate(a_scope(bearer(SLOW)), SEND)
        assert (await refusal(access, bearer(SLOW))).status == 429
        clock.time += 20
        await access.authenticate(a_scope(bearer(SLOW)), SEND)
        assert (await refusal(access, bearer(SLOW))).status == 429

    asyncio.run(use())


def test_reads_are_counted_apart_and_by_a_rate_of_their_own(keys, access):
    keys.add(a_key(SLOW, rate=Rate(2, "min"), read_rate=Rate(5, "min")))
    keys.add(a_key(NOBODY, rate=None, read_rate=Rate(1, "min")))

    async def passed(credential: Credential, needs: KeyScope) -> int:
        for count in range(20):
            try:
                await access.authenticate(a_scope(bearer(credential)), needs)
            except HttpRefusal:
                return count
        return 20

    async def use() -> None:
        assert await passed(SLOW, SEND) == 2
        assert await passed(SLOW, READ) == 5
        assert await passed(NOBODY, SEND) == 20
        assert await passed(NOBODY, READ) == 1

    asyncio.run(use())


def test_the_keys_of_a_client_share_its_rate(keys, access):
    twins = [new_credential() for _ in range(2)]
    for twin in twins:
        keys.add(a_key(twin, client_id="shop", rate=Rate(3, "min")))

    async def use() -> None:
        for credential in (*twins, twins[0]):
            client = await access.authenticate(a_scope(bearer(credential)), SEND)
            assert (client.id, client.visible_client, client.key) == ("shop", "shop", credential.id)
        for credential in twins:
            assert (await refusal(access, bearer(credential))).status == 429
        await access.authenticate(a_scope(bearer(SLOW)), SEND)

    asyncio.run(use())


def test_a_slow_rate_says_how_long_to_wait_and_a_new_look_up_resets_nothing(keys, access, clock):
    keys.add(a_key(SLOW, rate=Rate(1, "min")))

    async def use() -> None:
        await access.authenticate(a_scope(bearer(SLOW)), READ)
        clock.time += 31.5
        refused = await refusal(access, bearer(SLOW), needs=READ)
        assert (b"retry-after", b"29") in refused.headers
        assert keys.asked == [SLOW.id] * 2
        clock.time += 5
        keys.add(a_key(SLOW, rate=Rate(2, "min")))
        clock.time += 24.5
        await access.authenticate(a_scope(bearer(SLOW)), READ)

    asyncio.run(use())


def test_requests_beyond_the_scope_count_and_guesses_do_not(access):
    async def use() -> None:
        for _ in range(10):
            guess = Credential(SLOW.id, NOBODY.secret)
            assert (await refusal(access, bearer(guess))).status == 401
        for _ in range(2):
            assert (await refusal(access, bearer(SLOW), needs=ADMIN)).status == 403
        assert (await refusal(access, bearer(SLOW), needs=ADMIN)).status == 429

    asyncio.run(use())


# The cache


def test_a_key_is_looked_up_once_in_5_seconds(access, keys, clock):
    async def use() -> None:
        for _ in range(100):
            await access.authenticate(a_scope(bearer(SHOP)), SEND)
            await refusal(access, bearer(GUESS))
        assert keys.asked == [SHOP.id]
        clock.time += 5
        await access.authenticate(a_scope(bearer(SHOP)), SEND)
        assert keys.asked == [SHOP.id] * 2

    asyncio.run(use())


ENDS = {
    "revoked": ({"revoked_at": REVOKED}, 401, "has been revoked"),
    "expired": ({"expires_at": 1.0}, 401, "has expired"),
    "scope": ({"scopes": frozenset({READ}), "allowed_from": NO_RULES}, 403, "lacks the scope send"),
    "network": ({"networks": parse_networks(["192.0.2.0/24"])}, 403, "not be used from this"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_is_done_to_a_key_works_within_5_seconds(access, keys, clock, end):
    changes, status, says = end

    async def use() -> None:
        await access.authenticate(a_scope(bearer(SHOP)), SEND)
        keys.add(a_key(SHOP, **changes))
        clock.time += 5
        refused = await refusal(access, bearer(SHOP))
        assert (refused.status, says in told(refused)) == (status, True)

    asyncio.run(use())


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_is_done_to_a_key_ends_a_request_under_way(access, keys, end):
    changes, status, says = end

    async def use() -> None:
        client = await access.authenticate(a_scope(bearer(SHOP)), SEND)
        keys.add(a_key(SHOP, **changes))
        await access.cache.refresh()
        with pytest.raises(HttpRefusal) as raised:
            access.check_again(a_scope(), client, SEND)
        assert (raised.value.status, says in told(raised.value)) == (status, True)

    asyncio.run(use())


def test_a_key_expires_by_itself_to_the_second(access, keys, clock):
    keys.add(a_key(SHOP, expires_at=clock.time + 1))

    async def use() -> None:
        client = await access.authenticate(a_scope(bearer(SHOP)), SEND)
        clock.time += 0.999
        access.check_again(a_scope(), client, SEND)
        clock.time += 0.001
        assert "has expired" in told(await refusal(access, bearer(SHOP)))
        with pytest.raises(HttpRefusal):
            access.check_again(a_scope(), client, SEND)

    asyncio.run(use())


def test_a_request_under_way_goes_on_as_what_its_client_is_now(access, keys):
    keys.add(a_key(ROOT, **{**READER, "scopes": frozenset({READ, ADMIN})}))

    async def use() -> None:
        client = await access.authenticate(a_scope(bearer(SHOP)), SEND)
        root = await access.authenticate(a_scope(bearer(ROOT)), READ)
        keys.add(a_key(SHOP, allowed_from=parse_allow_list(["@new.example"])))
        await access.cache.refresh()
        now = access.check_again(a_scope(), client, SEND)
        assert now.may_send_from(parse_address("a@new.example"))
        assert access.check_again(a_scope(), root, READ) == root
        keys.add(a_key(ROOT, **READER))
        del keys.keys[SHOP.id]
        await access.cache.refresh()
        for lost, needs, says in ((client, SEND, "not known here"), (root, READ, "scope admin")):
            with pytest.raises(HttpRefusal) as raised:
                access.check_again(a_scope(), lost, needs)
            assert says in told(raised.value)

    asyncio.run(use())


def test_who_has_no_key_is_not_checked_again(keys):
    access = Access(keys, anonymous_scopes=[SEND])
    client = asyncio.run(access.authenticate(a_scope(), SEND))
    assert access.check_again(a_scope(), client, SEND) is client
    assert keys.asked == []


def test_all_keys_in_use_are_asked_for_in_one_question_and_others_no_more(access, keys, clock):
    async def elapse(seconds: int) -> None:
        for _ in range(seconds // 10):
            clock.time += 10
            keys.asked.clear()
            await access.cache.refresh()

    async def use() -> None:
        client = await access.authenticate(a_scope(bearer(SHOP)), SEND)
        for credential, needs in ((WATCH, READ), (ROOT, ADMIN), (SLOW, SEND)):
            await access.authenticate(a_scope(bearer(credential)), needs)
        assert keys.questions == 4
        await access.cache.refresh()
        assert keys.questions == 5
        await elapse(80)
        assert {*keys.asked} == {SHOP.id, WATCH.id, ROOT.id, SLOW.id}
        await access.authenticate(a_scope(bearer(SHOP)), SEND)
        await elapse(20)
        assert keys.asked == [SHOP.id]
        await elapse(60)
        access.check_again(a_scope(), client, SEND)  # who waits has not gone
        await elapse(90)
        assert keys.asked == [SHOP.id]
        await elapse(10)
        assert keys.asked == []

    asyncio.run(use())


async def until_refused(access, client) -> HttpRefusal:
    async with asyncio.timeout(30):
        while True:
            try:
                access.check_again(a_scope(), client, SEND)
            except HttpRefusal as refused:
                return refused
            await asyncio.sleep(0.001)


def test_while_the_application_runs_keys_are_kept_up_to_date(keys):
    access = Access(keys)

    async def use() -> None:
        async with access.watching():
            client = await access.authenticate(a_scope(bearer(SHOP)), SEND)
            keys.revoke(SHOP.id, REVOKED)
            await asyncio.get_running_loop().leap(2)
            assert "revoked" in told(await until_refused(access, client))
        assert keys.questions == 2

    run_leaping(use())


def test_a_defect_of_the_store_does_not_end_the_watch(keys):
    access = Access(keys)

    async def use() -> None:
        leap = asyncio.get_running_loop().leap
        async with access.watching():
            client = await access.authenticate(a_scope(bearer(SHOP)), SEND)
            keys.error = KeyError("x")
            await leap(2)
            await until(lambda: logs)
            keys.error = None
            keys.revoke(SHOP.id, REVOKED)
            await leap(2)
            assert "revoked" in told(await until_refused(access, client))

    with capture_logs() as logs:
        run_leaping(use())
    assert [line["event"] for line in logs] == ["API keys not refreshed"]


# The last use


def test_the_last_use_is_stored_once_a_minute_and_not_by_the_request(access, keys, clock):
    async def use() -> None:
        await access.authenticate(a_scope(bearer(SHOP)), SEND)
        await refusal(access, bearer(WATCH), needs=SEND)
        await refusal(access, bearer(OLD))
        assert keys.noted == []
        first = clock.time
        await access.cache.store_uses()
        assert keys.noted == [{SHOP.id: first, WATCH.id: first}]
        for _ in range(59):
            clock.time += 1
            await access.authenticate(a_scope(bearer(SHOP)), SEND)
            await access.cache.store_uses()
        assert len(keys.noted) == 1
        clock.time += 1
        await access.cache.store_uses()
        assert keys.noted[1:] == [{SHOP.id: first + 59}]
        await access.cache.store_uses()
        assert len(keys.noted) == 2
        assert keys.keys[SHOP.id].last_used_at == first + 59

    asyncio.run(use())


def test_a_use_that_cannot_be_stored_is_told_and_harms_no_request(access, keys):
    async def use() -> None:
        await access.authenticate(a_scope(bearer(SHOP)), SEND)
        keys.error = ApiKeysUnavailable("read-only")
        await access.cache.store_uses()
        await access.authenticate(a_scope(bearer(SHOP)), SEND)

    with capture_logs() as logs:
        asyncio.run(use())
    assert [line["event"] for line in logs] == ["last uses of API keys not stored"]


def test_a_key_that_is_gone_is_unknown_and_a_new_one_known_within_5_seconds(access, keys, clock):
    async def use() -> None:
        assert (await refusal(access, bearer(NOBODY))).status == 401
        keys.add(a_key(NOBODY))
        clock.time += 4
        assert (await refusal(access, bearer(NOBODY))).status == 401
        assert keys.asked == [NOBODY.id]
        clock.time += 1
        await access.authenticate(a_scope(bearer(NOBODY)), SEND)
        del keys.keys[NOBODY.id]
        clock.time += 5
        assert (await refusal(access, bearer(NOBODY))).status == 401
        await refusal(access, bearer(NOBODY))
        assert keys.asked == [NOBODY.id] * 3

    asyncio.run(use())


def test_an_answer_is_as_old_as_the_question(keys, clock):
    cache = KeyCache(keys, now=clock.now)

    async def use() -> None:
        keys.gate.clear()
        asking = asyncio.ensure_future(cache.find(SHOP.id))
        await until(lambda: keys.asked)
        clock.time += 4
        keys.gate.set()
        assert await asking is not None
        clock.time += 1
        await cache.find(SHOP.id)
        assert len(keys.asked) == 2

    asyncio.run(use())


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it is a thread that makes it true
            await asyncio.sleep(0.001)


def test_all_who_ask_for_one_key_at_once_share_a_look_up(access, keys):
    async def use() -> None:
        clients = [access.authenticate(a_scope(bearer(SHOP)), SEND) for _ in range(200)]
        assert {client.id for client in await asyncio.gather(*clients)} == {SHOP.id}
        assert keys.asked == [SHOP.id]

    asyncio.run(use())


def test_a_client_that_goes_away_takes_no_look_up_with_it(access, keys):
    async def use() -> None:
        keys.gate.clear()
        gone = asyncio.ensure_future(access.authenticate(a_scope(bearer(SHOP)), SEND))
        other = asyncio.ensure_future(access.authenticate(a_scope(bearer(SHOP)), SEND))
        await until(lambda: keys.asked)
        gone.cancel()
        await asyncio.sleep(0)
        keys.gate.set()
        assert (await other).id == SHOP.id
        assert keys.asked == [SHOP.id]

    asyncio.run(use())


# The store down


@pytest.mark.parametrize("is_watched", [False, True])
def test_a_known_key_works_for_30_seconds_while_the_store_is_down(access, keys, clock, is_watched):
    async def use() -> None:
        client = await access.authenticate(a_scope(bearer(SHOP)), SEND)
        keys.error = ApiKeysUnavailable("connection to boss@x.example refused")
        clock.time += 4
        if is_watched:
            await access.cache.refresh()
        for _ in range(25):
            clock.time += 1
            await access.authenticate(a_scope(bearer(SHOP)), SEND)
        if is_watched:  # then no request waits for the store
            assert keys.questions == 2
        access.check_again(a_scope(), client, SEND)
        clock.time += 1
        with pytest.raises(HttpRefusal) as raised:
            access.check_again(a_scope(), client, SEND)
        assert raised.value.status == 503
        for credential in (SHOP, NOBODY, OLD):
            refused = await refusal(access, bearer(credential))
            assert refused.status == 503
            assert (b"retry-after", b"5") in refused.headers
            assert "try again later" in told(refused)
        assert (await refusal(access, TYPO)).status == 401
        keys.error = None
        await access.authenticate(a_scope(bearer(SHOP)), SEND)

    with capture_logs() as logs:
        asyncio.run(use())
    assert [entry["event"] for entry in logs] == [
        "API keys unavailable",
        "API keys available again",
    ]
    assert logs[0]["reason"] == "connection to <address> refused"


def test_a_fault_of_the_store_s_own_is_an_error_of_ours(access, keys):
    keys.error = KeyError("x")
    with pytest.raises(KeyError):
        asyncio.run(access.authenticate(a_scope(bearer(SHOP)), SEND))


def test_a_store_that_hangs_holds_up_no_known_key(keys, clock):
    cache = KeyCache(keys, now=clock.now, look_up_seconds=1000)

    async def use() -> None:
        await cache.find(SHOP.id)
        keys.gate.clear()
        asking = asyncio.ensure_future(cache.find(WATCH.id))
        await until(lambda: keys.at_once == 1)
        assert await cache.find(SHOP.id) is not None
        await asyncio.get_running_loop().leap(1000)
        with pytest.raises(ApiKeysUnavailable, match="in time"):
            await asking
        assert await cache.find(SHOP.id) is not None
        assert keys.asked == [SHOP.id, WATCH.id]
        keys.gate.set()

    run_leaping(use())


def test_a_look_up_that_outlives_the_application_harms_nobody(keys):
    async def use() -> None:
        keys.gate.clear()
        with pytest.raises(ApiKeysUnavailable):
            await KeyCache(keys, look_up_seconds=0.01).find(SHOP.id)

    before = {*threading.enumerate()}
    asyncio.run(use())
    [thread] = {*threading.enumerate()} - before
    keys.gate.set()
    thread.join(10)
    assert not thread.is_alive()


# Guesses


def test_guesses_flood_neither_the_store_nor_the_memory_and_hold_up_no_known_key(keys, clock):
    cache = KeyCache(keys, now=clock.now, most=100, look_up_seconds=60)
    answered = []

    async def guess(id_: str) -> str:
        try:
            found = await cache.find(id_)
            answered.append(id_)
            return str(found)
        except ApiKeysUnavailable as error:
            return str(error)

    async def use() -> None:
        await cache.find(SHOP.id)
        clock.time += 30
        keys.gate.clear()
        ids = [new_credential().id for _ in range(2000)]
        guesses = [asyncio.ensure_future(guess(id_)) for id_ in ids]
        await until(lambda: keys.at_once == 4)
        refresh = asyncio.ensure_future(cache.find(SHOP.id))
        await until(lambda: keys.at_once == 5)
        keys.gate.set()
        assert await refresh is not None
        answers = await asyncio.gather(*guesses)
        assert answers.count("None") == 4 + 256
        assert answers.count("too many look-ups of API keys wait") == 2000 - 260
        assert keys.most_at_once <= 5
        asked = len(keys.asked)
        assert await cache.find(SHOP.id) is not None
        assert await cache.find(answered[-1]) is None
        assert len(keys.asked) == asked
        assert await cache.find(answered[0]) is None  # long forgotten
        assert len(keys.asked) == asked + 1

    asyncio.run(use())


def test_the_allow_list_of_everybody_is_a_star():
    client = a_key(SHOP, allowed_from=parse_allow_list(["*"])).client
    check_from(client, parse_address("a@anywhere.example"))
