"""API keys in a table of a database, SQLite or PostgreSQL."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import NoneType

from limbo.adapters.sql.cells import moment_or_none
from limbo.adapters.sql.database import Database, Dialect, Row, database_errors_as
from limbo.adapters.sql.statements import in_each, update
from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import ApiKey, parse_scopes
from limbo.domain.access.networks import parse_networks
from limbo.domain.access.rate import Rate, parse_rate
from limbo.domain.errors import ApiKeysUnavailable

_CHANGEABLE = ("name", "scopes", "senders", "networks", "rate", "read_rate", "expires_at")
_FIXED = ("id", "client", "sha256", "created_at", "revoked_at")
_TEXT, _TEXT_OR_NONE, _TIME_OR_NONE = (str,), (str, NoneType), (int, float, NoneType)
_KINDS: tuple[tuple[type, ...], ...] = (
    *(_TEXT, _TEXT_OR_NONE, _TEXT, (int, float), _TIME_OR_NONE),  # of _FIXED
    *(_TEXT, _TEXT, _TEXT, *[_TEXT_OR_NONE] * 3, _TIME_OR_NONE),  # of _CHANGEABLE
    (object,),
)
_NAMES = ", ".join([*_FIXED, *_CHANGEABLE])
_SELECT = f"SELECT {_NAMES}, last_used_at FROM limbo_api_keys"
_FIND = {
    Dialect.SQLITE: f"{_SELECT} WHERE id IN (SELECT value FROM json_each(:ids))",
    Dialect.POSTGRESQL: f"""
        {_SELECT} WHERE id IN (SELECT json_array_elements_text(CAST(:ids AS json)))
    """,
}
_LIST = f"{_SELECT} ORDER BY created_at, id"
_ADD = f"""
    INSERT INTO limbo_api_keys ({_NAMES})
    VALUES (:id, :client, :hash, :created_at, :revoked_at,
        {", ".join(f":{name}" for name in _CHANGEABLE)})
"""
_UPDATE = f"""
    UPDATE limbo_api_keys SET {", ".join(f"{name} = :{name}" for name in _CHANGEABLE)}
    WHERE id = :id AND revoked_at IS NULL RETURNING id
"""
_REVOKE = """
    UPDATE limbo_api_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL RETURNING id
"""
_NOTE_USES = in_each(
    lambda dialect: (
        update(dialect, "limbo_api_keys", {"id": "text"}, {"last_used_at": "float8"})
        + " AND (t.last_used_at IS NULL OR t.last_used_at < given.last_used_at)"
    )
)


class SqlApiKeys:
    """ApiKeys in a table. Rows are never deleted, so that a revoked key stays revoked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, ids: Collection[str]) -> Mapping[str, ApiKey]:
        """Look up the API keys by their primary key, in one statement."""
        with _errors():
            rows = self._database.execute(
                _FIND[self._database.dialect], {"ids": json.dumps([*ids])}
            )
            if len(ids) == 1:
                return {key.id: key for key in map(_key, rows)}
        keys: dict[str, ApiKey] = {}
        for row in rows:
            with suppress(ValueError):
                keys[row[0]] = _key(row)
        return keys

    def list(self) -> Sequence[ApiKey]:
        """Read the whole table."""
        with _errors():
            return [_key(row) for row in self._database.execute(_LIST)]

    def add(self, key: ApiKey) -> None:
        """Insert a row. An id that exists already is refused."""
        fixed = {
            "id": key.id,
            "client": key.client_id,
            "hash": key.sha256,
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
        }
        with _errors():
            self._database.execute(_ADD, {**fixed, **_changeable(key)})

    def update(self, key: ApiKey) -> bool:
        """Change the row, unless it is revoked."""
        with _errors():
            return bool(self._database.execute(_UPDATE, {"id": key.id, **_changeable(key)}))

    def revoke(self, id: str, at: float) -> bool:  # noqa: A002
        """Mark the row. A second revocation changes nothing."""
        with _errors():
            return bool(self._database.execute(_REVOKE, {"id": id, "at": at}))

    def note_uses(self, uses: Mapping[str, float]) -> None:
        """Write the times, in one order: two processes do this at once."""
        ids = sorted(uses)
        columns: dict[str, Sequence[object]] = {
            "id": ids,
            "last_used_at": [uses[id_] for id_ in ids],
        }
        if uses:
            with _errors():
                self._database.execute_many(_NOTE_USES[self._database.dialect], columns)


def _changeable(key: ApiKey) -> Mapping[str, object]:
    return {
        "name": key.name,
        "scopes": ",".join(sorted(key.scopes)),
        "senders": json.dumps(sorted(key.allowed_from.rules)),
        "networks": json.dumps(key.networks.texts) if key.networks.all else None,
        "rate": _rate_text(key.rate),
        "read_rate": _rate_text(key.read_rate),
        "expires_at": key.expires_at,
    }


def _key(row: Row) -> ApiKey:
    """Read a row. Raises ValueError for one that another program has spoilt.

    When the key was last used decides nothing, so that may be anything.
    """
    for place, (cell, kind) in enumerate(zip(row, _KINDS, strict=True)):
        if not isinstance(cell, kind):
            raise ValueError(f"column {place + 1} has a value of a wrong type")  # noqa: TRY004 - data
    id_, client, sha256, created_at, revoked_at, *changeable = row
    name, scopes, senders, networks, rate, read_rate, expires_at, last_used_at = changeable
    if not sha256.isascii():
        raise ValueError("sha256: is none")
    return ApiKey(
        id=id_,
        client_id=client,
        name=name,
        sha256=sha256,
        scopes=parse_scopes(scopes.split(",")),
        allowed_from=parse_allow_list(_texts("senders", senders)),
        networks=parse_networks([] if networks is None else _texts("networks", networks)),
        rate=_rate(rate),
        read_rate=_rate(read_rate),
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        last_used_at=moment_or_none(last_used_at),
    )


def _texts(column: str, text: str) -> Iterable[str]:
    texts = json.loads(text)
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise ValueError(f"{column}: must be a list of strings")
    return texts


def _rate(text: str | None) -> Rate | None:
    return None if text is None else parse_rate(text)


def _rate_text(rate: Rate | None) -> str | None:
    return None if rate is None else str(rate)


@contextmanager
def _errors() -> Iterator[None]:
    """Translate the errors of a database that does not answer, and of a row nobody can read."""
    try:
        with database_errors_as(ApiKeysUnavailable):
            yield
    except ValueError as error:
        raise ApiKeysUnavailable(f"a row of limbo_api_keys cannot be read: {error}") from None
