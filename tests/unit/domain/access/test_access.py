# ruff: noqa: RUF001 - look-alikes are what is tried here
import hashlib
import re
from dataclasses import replace

import pytest

from limbo.domain.access.allow_list import AllowList, parse_allow_list
from limbo.domain.access.api_key import KeyScope, KeyState, is_secret_of, parse_scopes
from limbo.domain.access.credential import Credential, new_credential, parse_credential
from limbo.domain.access.networks import parse_networks
from limbo.domain.access.rate import Rate, TokenBucket, parse_rate
from limbo.domain.mail.address import Address, parse_address
from tests.contracts.api_keys import READER, a_key

# Credentials


def test_a_credential_is_read_back_from_what_the_client_is_given():
    credential = new_credential()
    text = credential.reveal()
    assert re.fullmatch(r"limbo_[0-9a-z]{10}_[0-9A-Za-z]{36}", text)
    assert parse_credential(text) == credential


def test_the_format_stays_as_it_is():
    credential = Credential("0123456789", "A" * 30)
    assert credential.reveal() == f"limbo_0123456789_{'A' * 30}4S7vtR"
    assert credential.sha256 == hashlib.sha256(b"A" * 30).hexdigest()


def test_no_two_credentials_are_alike():
    made = [new_credential() for _ in range(200)]
    assert len({credential.id for credential in made}) == 200
    assert len({credential.secret for credential in made}) == 200


def test_every_typo_is_told_without_the_store():
    text = new_credential().reveal()
    for position in range(len("limbo_"), len(text)):
        for other in "0aZ":
            typo = text[:position] + other + text[position + 1 :]
            if typo != text:
                with pytest.raises(ValueError, match=r"checksum|form") as raised:
                    parse_credential(typo)
                assert text[6:] not in str(raised.value)


def test_a_credential_in_another_case_or_length_is_none():
    text = new_credential().reveal()
    for changed in (text.lower(), text.upper(), text[:-1], text + "0", f" {text}", f"{text}\n"):
        with pytest.raises(ValueError, match=r"form|checksum"):
            parse_credential(changed)


@pytest.mark.parametrize("text", ["", "limbo_", "limbo__", "limbo_" + "٣" * 10 + "_" + "A" * 36])
def test_what_has_not_the_form_is_no_credential(text):
    with pytest.raises(ValueError, match="form"):
        parse_credential(text)


def test_a_secret_shows_in_no_repr():
    credential = new_credential()
    key = a_key(credential)
    shown = f"{credential} {credential!r} {key} {key!r} {key.client!r}"
    for hidden in (credential.secret, credential.sha256, "shop.example", "boss"):
        assert hidden not in shown


def test_only_its_own_secret_opens_a_key():
    credential = new_credential()
    assert is_secret_of(credential, a_key(credential))
    assert not is_secret_of(credential, a_key())
    assert not is_secret_of(credential, None)


# ApiKeys


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "admin"}, "id:"),
        ({"client_id": ""}, "client: must be 1 to 64"),
        ({"client_id": "Shop"}, "client: must be 1 to 64"),
        ({"client_id": "-shop"}, "client: must be 1 to 64"),
        ({"client_id": "shop\n"}, "client: must be 1 to 64"),
        ({"client_id": "x" * 65}, "client: must be 1 to 64"),
        ({"client_id": "anonymous"}, "client: must not be anonymous"),
        ({"name": " "}, "name: must not be empty"),
        ({"name": "x" * 65}, "name: has 65 characters"),
        ({"name": "a\nb"}, "name: holds a forbidden character"),
        ({"scopes": frozenset()}, "scopes: must name one"),
        ({"allowed_from": AllowList()}, "from: must say"),
        ({"scopes": frozenset({KeyScope.READ})}, "from: is only for"),
    ],
)
def test_no_key_exists_that_nobody_could_mean(changes, problem):
    with pytest.raises(ValueError, match=problem):
        a_key(**changes)


@pytest.mark.parametrize("names", [["root"], [""], ["send", "Send"], ["send "]])
def test_an_unknown_scope_is_refused(names):
    with pytest.raises(ValueError, match="must be of send, read, admin"):
        parse_scopes(names)


def test_admin_sees_everybody_s_mails_and_sends_none():
    reader = a_key(**READER)
    admin = replace(reader, scopes=frozenset({KeyScope.ADMIN}))
    assert reader.client.visible_client == reader.id
    assert admin.client.visible_client is None
    assert not admin.client.may_send_from(Address("a@shop.example"))


# From


ALLOWED = [
    "a@shop.example",
    "A@SHOP.EXAMPLE",
    "a@ｓｈｏｐ.example",
    "a@shop。example",
    "Ann <a@shop.example>",
    '"x@evil.example" <a@shop.example>',
    "boss@x.example",
    "BOSS@X.Example",
    "Boss <Boss@x.example>",
    "a@bücher.example",
    "a@BÜCHER.example",
    "a@xn--bcher-kva.example",
    "a@XN--BCHER-KVA.EXAMPLE",
    "a@de.wild.example",
    "a@b.c.WILD.example",
]
FOREIGN = [
    "a@evil.example",
    "CEO@EXAMPLE.ORG",
    "ceo@ｅxample.org",
    '"ceo@shop.example" <x@evil.example>',
    '"<ceo@shop.example>" <x@evil.example>',
    "shop.example@evil.example",
    "a@shop.example.evil.example",
    "a@de.shop.example",
    "a@evilshop.example",
    "a@hop.example",
    "a@example",
    "a@x.example",
    "boss+a@x.example",
    "aboss@x.example",
    "b.oss@x.example",
    "a@bucher.example",
    "a@buecher.example",
    "a@xn--bcher-kvb.example",
    "a@wild.example",
    "a@notwild.example",
    "a@ѕhop.example",
    "a@shop.exаmple",
    "a@shop.example.",
    "a@shop.example..",
    "a@.shop.example",
    "a@shop..example",
    "a@shop.example(comment)",
    "a@(comment)shop.example",
    "a(@shop.example)@evil.example",
    "(a@shop.example) x@evil.example",
    '"a@shop.example"@evil.example',
    '"x@evil.example> <a"@shop.example',
    "a@shop.example <x@evil.example>",
    "a@shop.example, x@evil.example",
    "x@evil.example, a@shop.example",
    "x@evil.example;a@shop.example",
    "a@[shop.example]",
    "@shop.example",
    "@shop.example:x@evil.example",
    "@shop.example,@x:x@evil.example",
    "x@evil.example@shop.example",
    "a@shop.example%00",
    "a@shop.example\x00.evil.example",
    "a@shop\u00ad.example",
    "a@sh\u200dop.example",
    "a@shop.example\n",
    "*",
    "@*.wild.example",
    "*@wild.example",
]
RULES = ["@Shop.example", "BOSS@x.example", "@Bücher.example", "@*.wild.example"]


@pytest.mark.parametrize("text", ALLOWED)
def test_an_address_on_the_list_is_allowed_however_it_is_spelt(text):
    assert parse_allow_list(RULES).allows(parse_address(text))


@pytest.mark.parametrize("text", FOREIGN)
def test_nothing_else_slips_through(text):
    try:
        address = parse_address(text)
    except ValueError:
        return  # no mail can be from it at all
    assert not parse_allow_list(RULES).allows(address)


def test_an_address_that_nobody_parsed_is_not_allowed_by_a_letter_s_lower_case():
    assert not parse_allow_list(["@kiosk.example"]).allows(Address("a@\u212aiosk.example"))


def test_an_empty_list_allows_nothing_and_a_star_anything():
    assert not AllowList().allows(Address("a@shop.example"))
    assert parse_allow_list(["*"]).allows(Address("a@evil.example"))
    assert parse_allow_list(["@shop.example", " * "]).allows(Address("a@evil.example"))


def test_rules_are_kept_in_lower_case_ascii():
    assert parse_allow_list(["@*.BÜCHER.example", "Boss@ｘ.example"]).rules == {
        "@*.xn--bcher-kva.example",
        "boss@x.example",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.example",
        "@",
        "@shop",
        "@*",
        "@*.*.shop.example",
        "@s*p.example",
        "*@shop.example ok",
        "@.shop.example",
        "boss@*.shop.example",
        "Boss <boss@x.example>",
        "<boss@x.example>",
        "a@x.example,b@x.example",
        "**",
        "@shop.example,@x.example",
        '"a"@x.example',
    ],
)
def test_what_is_no_rule_is_refused_without_being_repeated(text):
    with pytest.raises(ValueError, match=r"must|address|@|domain|part|period") as raised:
        parse_allow_list([text])
    assert len(text) < 8 or text not in str(raised.value)


# Rates


@pytest.mark.parametrize(
    ("text", "per_second"), [("100/s", 100), ("6000/min", 100), ("36/h", 0.01), ("1/s", 1)]
)
def test_a_rate_is_read_and_shown_alike(text, per_second):
    assert parse_rate(text).per_second == pytest.approx(per_second)
    assert str(parse_rate(text)) == text


@pytest.mark.parametrize("text", ["", "0/s", "100", "-1/s", "1.5/s", "1/d", "1/ s", "٣/s", "9" * 7])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="must be a rate such as"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("rate", "burst"),
    [(Rate(5, "s"), 5), (Rate(3, "min"), 3), (Rate(600, "min"), 600), (Rate(1, "h"), 1)],
)
def test_a_unit_s_worth_goes_through_at_once(rate, burst):
    bucket = TokenBucket(rate, 100.0)
    assert [bucket.take(rate, 100.0) for _ in range(burst)] == [0.0] * burst
    assert bucket.take(rate, 100.0) == pytest.approx(1 / rate.per_second)


@pytest.mark.parametrize("rate", [Rate(3, "s"), Rate(7, "min"), Rate(999_999, "s"), Rate(1, "h")])
def test_whoever_waits_as_told_gets_through(rate):
    bucket = TokenBucket(rate, 0.0)
    now = 0.0
    for _ in range(min(1000, rate.times)):
        while (wait := bucket.take(rate, now)) == 0:
            pass
        now += wait
        assert bucket.take(rate, now) == 0


def test_over_time_just_the_rate_goes_through():
    rate = Rate(10, "s")
    bucket = TokenBucket(rate, 0.0)
    passed = sum(bucket.take(rate, tick / 100) == 0 for tick in range(6000))
    assert passed == pytest.approx(10 + 600, abs=1)


def test_a_pause_saves_no_more_than_a_burst_and_a_clock_set_back_none():
    rate = Rate(2, "s")
    bucket = TokenBucket(rate, 1000.0)
    assert sum(bucket.take(rate, 9999.0) == 0 for _ in range(100)) == 2
    assert bucket.take(rate, 0.0) > 0


def test_calls_at_two_rates_get_no_more_together_than_at_the_higher_one():
    slow, fast = Rate(1, "s"), Rate(10, "s")
    bucket = TokenBucket(slow, 0.0)
    passed = sum(bucket.take((slow, fast)[tick % 2], tick / 100) == 0 for tick in range(6000))
    assert passed <= 10 + 600


# Networks


@pytest.mark.parametrize(
    ("texts", "address", "holds"),
    [
        (["10.0.0.0/8"], "10.255.0.1", True),
        (["10.0.0.0/8"], "11.0.0.1", False),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["::ffff:10.0.0.0/104"], "10.0.0.1", True),
        (["::ffff:10.0.0.0/104"], "::ffff:10.0.0.1", True),
        (["::ffff:10.0.0.0/104"], "11.0.0.1", False),
        (["::ffff:192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["2001:db8::/32", "10.0.0.0/8"], "2001:db8:1::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["0.0.0.0/0"], "::1", False),
        (["::/0"], "10.0.0.1", False),
        ([], "10.0.0.1", False),
        (["0.0.0.0/0", "::/0"], "unknown", False),
        (["0.0.0.0/0", "::/0"], "", False),
    ],
)
def test_a_network_holds_its_addresses_alone(texts, address, holds):
    assert parse_networks(texts).hold(address) is holds


def test_networks_are_shown_as_they_are_kept():
    networks = parse_networks([" 10.0.0.0/8", "2001:DB8:0::/32", "192.0.2.7"])
    assert networks.texts == ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")
    assert parse_networks(networks.texts) == networks


@pytest.mark.parametrize("text", ["", "any", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "x" * 99])
def test_what_is_no_network_is_refused_without_being_repeated(text):
    with pytest.raises(ValueError, match=r"must be a network such as|has bits") as raised:
        parse_networks([text])
    assert len(text) < 8 or text not in str(raised.value)


def test_a_key_without_networks_is_good_everywhere():
    assert a_key().is_good_at("unknown")
    assert not a_key(networks=parse_networks(["10.0.0.0/8"])).is_good_at("unknown")
    assert a_key(networks=parse_networks(["10.0.0.0/8"])).is_good_at("10.0.0.1")


# States


@pytest.mark.parametrize(
    ("changes", "now", "state"),
    [
        ({}, 9e9, KeyState.IN_FORCE),
        ({"expires_at": 100.0}, 99.999, KeyState.IN_FORCE),
        ({"expires_at": 100.0}, 100.0, KeyState.EXPIRED),
        ({"revoked_at": 200.0}, 100.0, KeyState.REVOKED),
        ({"revoked_at": 200.0, "expires_at": 100.0}, 300.0, KeyState.REVOKED),
    ],
)
def test_a_key_is_in_force_until_it_ends(changes, now, state):
    assert a_key(**changes).state(now) is state
