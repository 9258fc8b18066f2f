"""The text with which a client proves who it is: ``limbo_<id>_<secret><checksum>``."""

import hashlib
import re
import secrets
import string
from dataclasses import dataclass, field
from zlib import crc32

PREFIX = "limbo_"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE36 = string.digits + string.ascii_lowercase
_ID_LENGTH = 10
_SECRET_LENGTH = 30
_CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
_ID = re.compile(rf"[0-9a-z]{{{_ID_LENGTH}}}")
_FORM = re.compile(rf"{PREFIX}({_ID.pattern})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})([0-9A-Za-z]{{6}})")


@dataclass(frozen=True, slots=True)
class Credential:
    """The id of an API key, which is public, and its secret."""

    id: str
    secret: str = field(repr=False)

    def reveal(self) -> str:
        """Return the text that the client gets once, and sends with each request."""
        unchecked = f"{PREFIX}{self.id}_{self.secret}"
        return unchecked + _checksum(unchecked)

    @property
    def sha256(self) -> str:
        """The hash that is stored, in hex.

        A plain hash is enough. Slow and salted hashes protect passwords, which can be guessed.
        Nobody can guess 178 random bits.
        """
        return hashlib.sha256(self.secret.encode()).hexdigest()


def new_credential() -> Credential:
    """Create a random id, and a random secret of 178 bits."""
    return Credential(_draw(_BASE36, _ID_LENGTH), _draw(_BASE62, _SECRET_LENGTH))


def parse_credential(text: str) -> Credential:
    """Read what ``reveal`` returned. Raises ValueError, whose text does not repeat the credential.

    The checksum tells a typo from an unknown key without asking the store. It also lets scanners
    for leaked secrets be certain.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        msg = f"is not of the form {PREFIX}<id>_<secret>"
        raise ValueError(msg)
    id_, secret, checksum = found.groups()
    if checksum != _checksum(text[:-_CHECKSUM_LENGTH]):
        msg = "is mistyped or cut: its checksum does not fit"
        raise ValueError(msg)
    return Credential(id_, secret)


def is_key_id(text: str) -> bool:
    """Tell whether the text has the form of a key's id."""
    return _ID.fullmatch(text) is not None


def _draw(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _checksum(text: str) -> str:
    """Return the CRC-32 in base 62, highest digit first."""
    number = crc32(text.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
