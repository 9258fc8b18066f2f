import hashlib
import re

from limbo.entrypoints.telemetry.address_hash import AddressHash

KNOWN = "bob@example.org"


def test_the_hash_is_that_of_rfc_4231_cut_to_twelve_digits():
    assert AddressHash(b"Jefe")("what do ya want for nothing?") == "5bdcc146bf60"


def test_one_who_knows_the_address_but_not_the_secret_cannot_find_it_in_a_log():
    shown = AddressHash(b"one installation's secret")(KNOWN)
    assert re.fullmatch("[0-9a-f]{12}", shown)
    assert shown != hashlib.sha256(KNOWN.encode()).hexdigest()[:12]
    assert shown != AddressHash(b"another's secret, as long")(KNOWN)


def test_the_case_of_an_address_does_not_matter_nor_does_the_cache():
    address_hash = AddressHash(b"one installation's secret")
    assert address_hash("Bob@Example.org") == address_hash(KNOWN) == address_hash.of_sender(KNOWN)


def test_two_processes_without_a_secret_in_common_show_different_hashes():
    one, other = AddressHash.random(), AddressHash.random()
    assert one(KNOWN) == one(KNOWN)
    assert one(KNOWN) != other(KNOWN)
