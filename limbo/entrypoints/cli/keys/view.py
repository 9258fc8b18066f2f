"""API keys as an operator reads them: as JSON, and as rows of a table; never their hashes."""

from collections.abc import Sequence

from limbo.domain.access.api_key import ApiKey, KeyScope
from limbo.entrypoints.cli.times import local_time
from limbo.entrypoints.http.api.times import rfc3339_or_none

HEADINGS = ("ID", "NAME", "SCOPES", "FROM", "RATE", "CREATED", "REVOKED")


def key_document(key: ApiKey) -> dict[str, object]:
    """Return the JSON of the key, for a program."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": _scopes(key),
        "from": sorted(key.allowed_from.rules),
        "rate": None if key.rate is None else str(key.rate),
        "created_at": rfc3339_or_none(key.created_at),
        "revoked_at": None if key.revoked_at is None else rfc3339_or_none(key.revoked_at),
    }


def key_row(key: ApiKey) -> Sequence[str]:
    """Return the cells of the key, in the order of HEADINGS."""
    return (
        key.id,
        key.name,
        ",".join(_scopes(key)),
        ",".join(sorted(key.allowed_from.rules)),
        "" if key.rate is None else str(key.rate),
        local_time(key.created_at),
        "" if key.revoked_at is None else local_time(key.revoked_at),
    )


def _scopes(key: ApiKey) -> list[str]:
    return [scope for scope in KeyScope if scope in key.scopes]
