"""API keys as an operator reads them: as JSON, and as rows of a table; never their hashes."""

from collections.abc import Sequence
from typing import assert_never

from limbo.domain.access.api_key import ApiKey, KeyScope, KeyState
from limbo.entrypoints.cli.times import local_time
from limbo.entrypoints.http.api.times import rfc3339_or_none

HEADINGS = (
    *("ID", "CLIENT", "NAME", "SCOPES", "FROM", "NETWORKS", "RATE", "READS"),
    *("CREATED", "USED", "ENDS"),
)


def key_document(key: ApiKey) -> dict[str, object]:
    """Return the JSON of the key, for a program."""
    return {
        "id": key.id,
        "client": key.client.id,
        "name": key.name,
        "scopes": _scopes(key),
        "from": sorted(key.allowed_from.rules),
        "networks": [*key.networks.texts],
        "rate": None if key.rate is None else str(key.rate),
        "read_rate": None if key.read_rate is None else str(key.read_rate),
        **{
            name: None if at is None else rfc3339_or_none(at)
            for name, at in (
                ("created_at", key.created_at),
                ("last_used_at", key.last_used_at),
                ("expires_at", key.expires_at),
                ("revoked_at", key.revoked_at),
            )
        },
    }


def key_selection(key: ApiKey) -> dict[str, object]:
    """Return what the audit says of the key: nothing that a person has named, and no address."""
    document = key_document(key)
    shown = ("id", "client", "scopes", "networks", "rate", "read_rate", "expires_at")
    rules = len(key.allowed_from.rules)
    return {**{name: document[name] for name in shown}, "from_rules": rules}


def key_row(key: ApiKey, now: float) -> Sequence[str]:
    """Return the cells of the key, in the order of HEADINGS; ``now`` says what has expired."""
    return (
        key.id,
        key.client.id,
        key.name,
        ",".join(_scopes(key)),
        ",".join(sorted(key.allowed_from.rules)),
        ",".join(key.networks.texts),
        "" if key.rate is None else str(key.rate),
        "" if key.read_rate is None else str(key.read_rate),
        local_time(key.created_at),
        "" if key.last_used_at is None else local_time(key.last_used_at),
        _end(key, now),
    )


def _end(key: ApiKey, now: float) -> str:
    match key.state(now):
        case KeyState.REVOKED:
            return f"revoked {local_time(key.revoked_at or now)}"
        case KeyState.EXPIRED:
            return f"expired {local_time(key.expires_at or now)}"
        case KeyState.IN_FORCE:
            return "" if key.expires_at is None else local_time(key.expires_at)
        case never:
            assert_never(never)


def _scopes(key: ApiKey) -> list[str]:
    return [scope for scope in KeyScope if scope in key.scopes]
