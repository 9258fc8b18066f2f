"""API keys in a table of a database, SQLite or PostgreSQL."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from limbo.adapters.sql.database import Database, Row, database_errors_as
from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import ApiKey, parse_scopes
from limbo.domain.access.rate import parse_rate
from limbo.domain.errors import ApiKeysUnavailable

_SELECT = """
    SELECT id, name, sha256, scopes, senders, rate, created_at, revoked_at FROM limbo_api_keys
"""
_FIND = f"{_SELECT} WHERE id = :id"
_LIST = f"{_SELECT} ORDER BY created_at, id"
_ADD = """
    INSERT INTO limbo_api_keys (id, name, sha256, scopes, senders, rate, created_at, revoked_at)
    VALUES (:id, :name, :hash, :scopes, :senders, :rate, :created_at, :revoked_at)
"""
_REVOKE = """
    UPDATE limbo_api_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL RETURNING id
"""


class SqlApiKeys:
    """ApiKeys in a table. Rows are never deleted, so that a revoked key stays revoked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, id: str) -> ApiKey | None:  # noqa: A002
        """Look up one API key by its primary key."""
        keys = self._select(_FIND, {"id": id})
        return keys[0] if keys else None

    def list(self) -> Sequence[ApiKey]:
        """Read the whole table."""
        return self._select(_LIST)

    def add(self, key: ApiKey) -> None:
        """Insert a row. An id that exists already is refused."""
        values = {
            "id": key.id,
            "name": key.name,
            "hash": key.sha256,
            "scopes": ",".join(sorted(key.scopes)),
            "senders": json.dumps(sorted(key.allowed_from.rules)),
            "rate": None if key.rate is None else str(key.rate),
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
        }
        with _errors():
            self._database.execute(_ADD, values)

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        """Mark the row. A second revocation changes nothing."""
        with _errors():
            return bool(self._database.execute(_REVOKE, {"id": id, "at": at}))

    def _select(self, sql: str, values: Mapping[str, object] | None = None) -> Sequence[ApiKey]:
        with _errors():
            return [_key(row) for row in self._database.execute(sql, values)]


def _key(row: Row) -> ApiKey:
    id_, name, sha256, scopes, senders, rate, created_at, revoked_at = row
    rules = json.loads(senders)
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise ValueError("senders: must be a list of strings")
    return ApiKey(
        id=id_,
        name=name,
        sha256=sha256,
        scopes=parse_scopes(scopes.split(",")),
        allowed_from=parse_allow_list(rules),
        rate=None if rate is None else parse_rate(rate),
        created_at=created_at,
        revoked_at=revoked_at,
    )


@contextmanager
def _errors() -> Iterator[None]:
    """Translate the errors of a database that does not answer, and of a row nobody can read."""
    try:
        with database_errors_as(ApiKeysUnavailable):
            yield
    except ValueError as error:
        raise ApiKeysUnavailable(f"a row of limbo_api_keys cannot be read: {error}") from None
