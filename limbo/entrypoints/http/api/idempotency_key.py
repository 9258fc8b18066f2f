"""The Idempotency-Key of a submission (draft-ietf-httpapi-idempotency-key-header)."""

import hashlib
import re
from http import HTTPStatus

import orjson
from starlette.types import Scope

from limbo.domain.mail.mail import Mail
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.headers import headers
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.ports.outbox import Idempotency

_NAME = b"idempotency-key"
_BARE = r"[\x21\x23-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?"
# A string of RFC 8941, section 3.3.3: it has only these two escapes.
_QUOTED = r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255}"'
PATTERN = f"^(?:{_BARE}|{_QUOTED})$"
_KEY = re.compile(f"{_BARE}|{_QUOTED}")
_ESCAPE = re.compile(r"\\(.)")


def read_key(scope: Scope) -> str | None:
    """Return the request's key without its quotes, or None; raises HttpRefusal with 400."""
    values = headers(scope, _NAME)
    if not values:
        return None
    if len(values) > 1:
        raise _refused("given twice")
    text = values[0].decode("latin-1").strip(" \t")
    if not _KEY.fullmatch(text):
        raise _refused("must be 1 to 255 printable ASCII characters, bare or quoted")
    return _ESCAPE.sub(r"\1", text[1:-1]) if text.startswith('"') else text


def idempotency(key: str, mail: Mail) -> Idempotency:
    """Return the key with the fingerprint of the mail that is submitted under it.

    The fingerprint is made from the mail, not from the bytes of the body: the same JSON with its
    names in another order, or with a single recipient that is not in a list, is the same mail.
    """
    content = mail.fields.identity(mail)
    return Idempotency(key, hashlib.sha256(orjson.dumps(content)).hexdigest())


def _refused(problem: str) -> HttpRefusal:
    return HttpRefusal(
        HTTPStatus.BAD_REQUEST, f"Idempotency-Key: {problem}", code=Code.INVALID_IDEMPOTENCY_KEY
    )
