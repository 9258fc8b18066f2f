"""Keys that encrypt mails at rest, for tests."""

import base64
from hashlib import sha256

from limbo.adapters.encoding.mail_codec import MailCodec
from limbo.adapters.encryption.aes_gcm import AesGcmSeal


def a_key(id_: str) -> bytes:
    """Return the key that always stands under this id."""
    return sha256(id_.encode()).digest()


def a_codec(*ids: str) -> MailCodec:
    """Return a codec with the keys of these ids; the first one seals."""
    return MailCodec(AesGcmSeal({id_: a_key(id_) for id_ in ids}))


def a_setting(*ids: str) -> str:
    """Return LIMBO_BODY_KEYS with the keys of these ids."""
    return ",".join(f"{id_}:{base64.b64encode(a_key(id_)).decode()}" for id_ in ids)
