"""The API key in a request's Authorization header."""

import base64
import re

from starlette.types import Scope

from limbo.domain.access.credential import PREFIX, Credential, parse_credential
from limbo.entrypoints.http.server.headers import headers

_MAX_BYTES = 1024
_FORM = re.compile(rb"(bearer|basic)[ \t]+([!-~]+)[ \t]*", re.IGNORECASE)
HOW = "send it as Authorization: Bearer limbo_…, or as the password of Basic"


def read_credential(scope: Scope) -> Credential | None:
    """Return the API key of the request, or None if it has no Authorization header.

    It is a Bearer token (RFC 6750, section 2.1), or the password of Basic (RFC 7617) with any user
    name. Raises ValueError; its text says what is wrong, and repeats nothing of the header.
    """
    values = headers(scope, b"authorization")
    if not values:
        return None
    if len(values) > 1:
        raise ValueError("more than one Authorization header")
    found = _FORM.fullmatch(values[0]) if len(values[0]) <= _MAX_BYTES else None
    if found is None:
        raise ValueError(f"no API key in the Authorization header; {HOW}")
    scheme, text = found[1].lower(), found[2].decode("ascii")
    try:
        return parse_credential(text if scheme == b"bearer" else _password(text))
    except ValueError as error:
        raise ValueError(f"the API key {error}") from None


def _password(text: str) -> str:
    try:
        decoded = base64.b64decode(text, validate=True).decode("ascii")
    except ValueError:
        raise ValueError("cannot be read: Basic must be followed by base64") from None
    user, _, password = decoded.partition(":")
    if user.startswith(PREFIX) and not password:
        raise ValueError("is not of the form :limbo_…: it is the password, not the user (-u :KEY)")
    return password
