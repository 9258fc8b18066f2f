import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from limbo.adapters.encryption.aes_gcm import AesGcmSeal
from limbo.domain.errors import SealBroken, SealKeyMissing

KEY = bytes(range(32))


def test_it_is_plain_aes_256_gcm_with_the_nonce_in_front():
    sealed = AesGcmSeal({"k1": KEY}).seal(b"body", b"bound")
    assert AESGCM(KEY).decrypt(sealed[:12], sealed[12:], b"bound") == b"body"
    assert len(sealed) == 12 + len(b"body") + 16


def test_it_opens_what_it_sealed_for_the_same_thing_alone():
    seal = AesGcmSeal({"k1": KEY})
    sealed = seal.seal(b"body", b"bound")
    assert seal.open(sealed, b"bound", seal.key) == b"body"
    for wrong in (sealed[:-1], sealed[:5], b"", b"x" + sealed[1:]):
        with pytest.raises(SealBroken):
            seal.open(wrong, b"bound", seal.key)
    with pytest.raises(SealBroken):
        seal.open(sealed, b"another", seal.key)
    with pytest.raises(SealKeyMissing):
        seal.open(sealed, b"bound", "k9.00000000")


def test_the_name_of_a_key_tells_it_from_another_of_its_id():
    assert AesGcmSeal({"k1": KEY}).key.startswith("k1.")
    assert AesGcmSeal({"k1": KEY}).key != AesGcmSeal({"k1": b"x" * 32}).key
