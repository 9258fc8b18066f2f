"""How a mail is stored, wherever it is stored: in plain, or sealed.

A sealed body is JSON too. It shows the name of its key, and the mail's id and time: ``{"sealed":
"k1.3fa2b1c0", "v": 1000, "id": …, "submitted_at": …, "body": …}``. To a limbo that knows nothing of
this, it is a mail of a much newer one, which it leaves in the queue.
"""

from base64 import b64decode, b64encode
from typing import Protocol

import orjson

from limbo.adapters.encoding.codec import decode_envelope, decode_mail, encode_mail
from limbo.domain.errors import SealBroken, SealKeyMissing
from limbo.domain.mail.mail import Mail
from limbo.ports.queue import Undecodable

_VERSION = 1000  # above that of every field
_START = '{"sealed":"'
_START_BYTES = _START.encode()
HEAD_BYTES = 64
"""How much of a stored body ``key_name`` needs."""


class BodySeal(Protocol):
    """Encrypts bodies. ``bound`` is not in the result, and has to be the same to open it."""

    @property
    def key(self) -> str:
        """The name of the key that seals, in ASCII, at most 44 characters."""
        ...

    def seal(self, body: bytes, bound: bytes) -> bytes:
        """Encrypt a body."""
        ...

    def open(self, sealed: bytes, bound: bytes, key: str) -> bytes:
        """Decrypt a body. Raises SealKeyMissing without that key, SealBroken if it was altered."""
        ...


class MailCodec:
    """Writes mails as they are stored, and reads them back. What is not sealed is read as well."""

    def __init__(self, seal: BodySeal | None = None) -> None:
        self._seal = seal

    @property
    def seals(self) -> bool:
        """Whether bodies are sealed, so that what they hold should stand nowhere else."""
        return self._seal is not None

    def encode(self, mail: Mail) -> bytes:
        """Return the mail as UTF-8 JSON, sealed if there is a seal."""
        body = encode_mail(mail)
        if self._seal is None:
            return body
        key = self._seal.key
        sealed = self._seal.seal(body, _bound(mail.id, key))
        return orjson.dumps(
            {
                "sealed": key,  # first, see ``key_name``
                "v": _VERSION,
                "id": mail.id,
                "submitted_at": mail.submitted_at,
                "body": b64encode(sealed).decode(),
            }
        )

    def decode(self, body: bytes | str, name: str) -> Mail | Undecodable:
        """Read a body; see ``decode_mail``. A sealed one is bound to the id that it shows."""
        if not _is_sealed(body):
            return decode_mail(body, name)
        try:
            return self._open(orjson.loads(body), name)
        except SealKeyMissing as error:
            reason = f"sealed under the body key {error}, which this process does not have"
            return Undecodable(name, reason, is_supported=False, is_sealed=True)
        except SealBroken as error:
            return Undecodable(name, f"sealed under the body key {error}, and altered since")
        except (ValueError, KeyError, TypeError):
            return Undecodable(name, "not a sealed body")

    def _open(self, document: dict[str, object], name: str) -> Mail | Undecodable:
        if document["v"] != _VERSION:
            return Undecodable(name, "sealed by a newer limbo", is_supported=False)
        key, id_ = str(document["sealed"]), str(document["id"])
        if self._seal is None:
            raise SealKeyMissing(key)
        sealed = b64decode(str(document["body"]))
        mail = decode_mail(self._seal.open(sealed, _bound(id_, key), key), name)
        if isinstance(mail, Mail) and mail.id != id_:
            return Undecodable(name, "id: not the one that it is sealed for")
        return mail


PLAIN = MailCodec()
"""Seals nothing, and opens nothing."""


def concerns(mail: Mail | Undecodable, body: bytes | str, address: str) -> bool:
    """Tell whether a mail is from or to an address, or a body that is no mail holds it."""
    if isinstance(mail, Mail):
        return mail.is_of(address)
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    return address.lower() in text.lower()


def shown_id(body: bytes | str, name: str) -> str:
    """Return the id that a stored mail shows, sealed or not, or ``name`` if it is no mail."""
    if not _is_sealed(body):
        return decode_mail(body, name).id
    envelope = decode_envelope(body)
    return name if envelope is None else envelope[0]


def key_name(head: bytes | str) -> str | None:
    """Return the name of the key, from the first HEAD_BYTES of a body; None if it is not sealed."""
    if not _is_sealed(head):
        return None
    text = head if isinstance(head, str) else head.decode(errors="replace")
    return text[len(_START) :].partition('"')[0]


def _is_sealed(body: bytes | str) -> bool:
    match body:
        case str():
            return body.startswith(_START)
        case bytes():
            return body.startswith(_START_BYTES)
        case _:  # another program may have written anything into SQLite
            return False


def _bound(id_: str, key: str) -> bytes:
    return f"limbo mail\0{key}\0{id_}".encode()
