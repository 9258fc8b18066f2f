"""What every store of API keys does: each adapter's test class inherits the contract."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import ApiKey, KeyScope
from limbo.domain.access.credential import Credential, new_credential
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


READER = {"scopes": frozenset({KeyScope.READ}), "allowed_from": parse_allow_list([]), "rate": None}


class ApiKeysContract:
    @pytest.mark.parametrize(
        "changes", [{}, READER, {"name": 'Käse "& Brot", 日本'}, {"revoked_at": REVOKED}]
    )
    def test_a_key_is_found_as_it_was_added(self, keys: ApiKeys, changes):
        key = a_key(**changes)
        keys.add(key)
        assert keys.find(key.id) == key
        assert keys.list() == [key]

    @pytest.mark.parametrize("id_", ["0123456789", "", "x" * 1000, "%", "'", "ÿ"])
    def test_an_id_that_nobody_has_is_not_found_nor_revoked(self, keys: ApiKeys, id_):
        keys.add(a_key())
        assert keys.find(id_) is None
        assert keys.revoke(id_, REVOKED) is False

    def test_an_id_is_compared_to_the_letter(self, keys: ApiKeys):
        key = a_key(id="abcdefghij")
        keys.add(key)
        assert keys.find("ABCDEFGHIJ") is None
        assert keys.find("abcdefghij") == key

    def test_the_list_begins_with_the_oldest(self, keys: ApiKeys):
        made = [a_key(created_at=CREATED + age, name=str(age)) for age in (3, 1, 2)]
        for key in made:
            keys.add(key)
        assert [key.name for key in keys.list()] == ["1", "2", "3"]

    def test_a_revoked_key_stays_and_says_so(self, keys: ApiKeys):
        key, other = a_key(), a_key(created_at=CREATED + 1)
        keys.add(key)
        keys.add(other)
        assert keys.find(key.id) == key
        assert keys.revoke(key.id, REVOKED) is True
        revoked = replace(key, revoked_at=REVOKED)
        assert keys.find(key.id) == revoked
        assert keys.list() == [revoked, other]

    def test_a_second_revocation_changes_nothing(self, keys: ApiKeys):
        key = a_key()
        keys.add(key)
        keys.revoke(key.id, REVOKED)
        assert keys.revoke(key.id, REVOKED + 1) is False
        assert keys.find(key.id) == replace(key, revoked_at=REVOKED)

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
