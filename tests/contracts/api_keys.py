"""What every store of API keys does: each adapter's test class inherits the contract."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import ApiKey, KeyScope
from limbo.domain.access.credential import Credential, new_credential
from limbo.domain.access.networks import parse_networks
from limbo.domain.access.rate import Rate
from limbo.domain.errors import ApiKeysUnavailable
from limbo.ports.api_keys import ApiKeys

CREATED = 1_700_000_000.25
REVOKED = 1_700_000_100.5


def a_key(credential: Credential | None = None, **changes: object) -> ApiKey:
    made = credential or new_credential()
    key = ApiKey(
        id=made.id,
        name="shop",
        sha256=made.sha256,
        scopes=frozenset({KeyScope.SEND, KeyScope.READ}),
        allowed_from=parse_allow_list(["@shop.example", "@*.shop.example", "boss@x.example"]),
        rate=Rate(6000, "min"),
        created_at=CREATED,
    )
    return replace(key, **changes)  # type: ignore[arg-type]


def found(keys: ApiKeys, id_: str) -> ApiKey | None:
    return keys.find([id_]).get(id_)


READER = {"scopes": frozenset({KeyScope.READ}), "allowed_from": parse_allow_list([]), "rate": None}


EVERYTHING = {
    "client_id": "shop",
    "networks": parse_networks(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]),
    "rate": None,
    "read_rate": Rate(10, "h"),
    "expires_at": CREATED + 86_400,
}
CHANGES = {
    "name": "shop, 2027",
    "scopes": frozenset({KeyScope.SEND}),
    "allowed_from": parse_allow_list(["*"]),
    "networks": parse_networks(["192.0.2.0/24"]),
    "rate": Rate(3, "min"),
    "read_rate": None,
    "expires_at": CREATED + 5,
}


class ApiKeysContract:
    @pytest.mark.parametrize(
        "changes",
        [{}, READER, {"name": 'Käse "& Brot", 日本'}, {"revoked_at": REVOKED}, EVERYTHING],
    )
    def test_a_key_is_found_as_it_was_added(self, keys: ApiKeys, changes):
        key = a_key(**changes)
        keys.add(key)
        assert found(keys, key.id) == key
        assert keys.list() == [key]

    @pytest.mark.parametrize("id_", ["0123456789", "", "x" * 1000, "%", "'", "ÿ"])
    def test_an_id_that_nobody_has_is_not_found_nor_revoked(self, keys: ApiKeys, id_):
        keys.add(a_key())
        assert found(keys, id_) is None
        assert keys.revoke(id_, REVOKED) is False

    def test_an_id_is_compared_to_the_letter(self, keys: ApiKeys):
        key = a_key(id="abcdefghij")
        keys.add(key)
        assert found(keys, "ABCDEFGHIJ") is None
        assert found(keys, "abcdefghij") == key

    def test_the_list_begins_with_the_oldest(self, keys: ApiKeys):
        made = [a_key(created_at=CREATED + age, name=str(age)) for age in (3, 1, 2)]
        for key in made:
            keys.add(key)
        assert [key.name for key in keys.list()] == ["1", "2", "3"]

    def test_a_revoked_key_stays_and_says_so(self, keys: ApiKeys):
        key, other = a_key(), a_key(created_at=CREATED + 1)
        keys.add(key)
        keys.add(other)
        assert found(keys, key.id) == key
        assert keys.revoke(key.id, REVOKED) is True
        revoked = replace(key, revoked_at=REVOKED)
        assert found(keys, key.id) == revoked
        assert keys.list() == [revoked, other]

    def test_a_second_revocation_changes_nothing(self, keys: ApiKeys):
        key = a_key()
        keys.add(key)
        keys.revoke(key.id, REVOKED)
        assert keys.revoke(key.id, REVOKED + 1) is False
        assert found(keys, key.id) == replace(key, revoked_at=REVOKED)

    def test_many_keys_are_found_by_one_question(self, keys: ApiKeys):
        made = [a_key(revoked_at=REVOKED if number % 2 else None) for number in range(5)]
        for key in made:
            keys.add(key)
        asked = [key.id for key in made[:4]]
        assert keys.find([*asked, "0123456789"]) == {key.id: key for key in made[:4]}
        assert keys.find([]) == {}

    def test_keys_of_one_client_are_one_client(self, keys: ApiKeys):
        alone, *two = a_key(), a_key(client_id="shop"), a_key(client_id="shop")
        for key in (alone, *two):
            keys.add(key)
        found = keys.find([key.id for key in (alone, *two)])
        assert [found[key.id].client.id for key in (alone, *two)] == [alone.id, "shop", "shop"]
        assert [found[key.id].client.key for key in two] == [key.id for key in two]

    def test_what_may_change_of_a_key_is_changed_and_the_rest_stays(self, keys: ApiKeys):
        key, other = a_key(**EVERYTHING), a_key(created_at=CREATED + 1)
        keys.add(key)
        keys.add(other)
        changed = replace(key, **CHANGES)
        foreign = {"client_id": "blog", "sha256": "0" * 64, "created_at": 1.0, "revoked_at": 1.0}
        assert keys.update(replace(changed, **foreign)) is True
        assert keys.list() == [changed, other]
        assert keys.update(key) is True
        assert found(keys, key.id) == key

    def test_a_revoked_or_unknown_key_cannot_be_changed(self, keys: ApiKeys):
        key = a_key()
        keys.add(key)
        keys.revoke(key.id, REVOKED)
        assert keys.update(replace(key, name="thief")) is False
        assert keys.update(a_key()) is False
        assert keys.list() == [replace(key, revoked_at=REVOKED)]

    def test_no_change_undoes_a_revocation_whichever_comes_first(self, keys: ApiKeys):
        made = [a_key() for _ in range(8)]
        for key in made:
            keys.add(key)
        with ThreadPoolExecutor(8) as pool:
            revoked = pool.map(lambda key: keys.revoke(key.id, REVOKED), made)
            list(pool.map(lambda key: keys.update(replace(key, name="new")), made))
            assert all(revoked)
        assert all(key.is_revoked for key in keys.list())

    def test_the_last_use_is_the_latest_and_survives_what_is_done_to_the_key(self, keys: ApiKeys):
        key, unused = a_key(), a_key(created_at=CREATED + 1)
        keys.add(key)
        keys.add(unused)
        keys.note_uses({})
        keys.note_uses({key.id: CREATED + 60, "0123456789": CREATED})
        keys.note_uses({key.id: CREATED + 30})
        assert keys.list() == [replace(key, last_used_at=CREATED + 60), unused]
        keys.update(replace(key, name="new"))
        keys.note_uses({key.id: CREATED + 90})
        keys.revoke(key.id, REVOKED)
        assert found(keys, key.id).last_used_at == CREATED + 90
        assert found(keys, unused.id).last_used_at is None

    def test_an_id_that_is_taken_is_refused(self, keys: ApiKeys):
        key = a_key()
        keys.add(key)
        with pytest.raises(ApiKeysUnavailable):
            keys.add(replace(key, name="thief"))
        assert keys.list() == [key]

    def test_many_threads_lose_nothing_of_each_other(self, keys: ApiKeys):
        made = [a_key() for _ in range(16)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(keys.add, made))
            assert all(pool.map(lambda key: keys.revoke(key.id, REVOKED), made[:8]))
        found = {key.id: key for key in keys.list()}
        assert found.keys() == {key.id for key in made}
        assert {id_ for id_, key in found.items() if key.is_revoked} == {k.id for k in made[:8]}
