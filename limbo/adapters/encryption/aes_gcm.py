"""Seals bodies with AES-256-GCM, by the package cryptography (NIST SP 800-38D)."""

import os
from collections.abc import Mapping
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from limbo.domain.errors import SealBroken, SealKeyMissing

_NONCE_BYTES = 12  # random: a key may seal 2**32 bodies (section 8.3)


class AesGcmSeal:
    """A BodySeal with several keys: the first one seals, each opens what it has sealed.

    ``keys`` are of 32 bytes, by id. A key's name in a body is its id and 8 hex digits of its hash,
    so that another key under the same id is not taken for it.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {_name(id_, key): AESGCM(key) for id_, key in keys.items()}
        self.key = next(iter(self._ciphers))
        self._cipher = self._ciphers[self.key]

    def seal(self, body: bytes, bound: bytes) -> bytes:
        """Return the nonce, and the body encrypted under the first key."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, body, bound)

    def open(self, sealed: bytes, bound: bytes, key: str) -> bytes:
        """Return the body that was sealed under the key of that name."""
        cipher = self._ciphers.get(key)
        if cipher is None:
            raise SealKeyMissing(key)
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
        except (InvalidTag, ValueError) as error:  # ValueError: shorter than a nonce
            raise SealBroken(key) from error


def _name(id_: str, key: bytes) -> str:
    check = sha256(b"limbo body key\0" + key).hexdigest()[:8]
    return f"{id_}.{check}"
