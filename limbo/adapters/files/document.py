"""API keys as a JSON document, for a file that people may read and edit.

Unknown names are refused: ignoring a misspelt ``revoked_at`` would undo a revocation.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import ApiKey, parse_scopes
from limbo.domain.access.networks import parse_networks
from limbo.domain.access.rate import Rate, parse_rate
from limbo.domain.mail.text import one_line

_VERSION = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_YEAR_10000 = 253402300800


def encode_keys(keys: Iterable[ApiKey]) -> bytes:
    """Return the document, indented."""
    document = {"v": _VERSION, "keys": [_document(key) for key in keys]}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def decode_keys(body: bytes) -> dict[str, ApiKey]:
    """Return the API keys by id. Raises ValueError, which says where and what is wrong."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno} column {error.colno}: {error.msg}") from None
    match document:
        case {"v": 1, "keys": list(items), **rest} if not rest:
            pass
        case {"v": int(version)} if version > _VERSION:
            raise ValueError(f"v: made by a newer limbo; this one knows up to {_VERSION}")
        case _:
            raise ValueError('must be an object of "v": 1 and "keys": […], and nothing else')
    keys: dict[str, ApiKey] = {}
    for number, item in enumerate(items):
        try:
            key = _key(item)
        except ValueError as error:
            raise ValueError(f"keys[{number}]: {error}") from None
        if keys.setdefault(key.id, key) is not key:
            raise ValueError(f"keys[{number}]: id: is that of another key as well")
    return keys


def _document(key: ApiKey) -> Mapping[str, object]:
    document = {
        "id": key.id,
        "name": key.name,
        "sha256": key.sha256,
        "scopes": sorted(key.scopes),
        "from": sorted(key.allowed_from.rules),
        "rate": None if key.rate is None else str(key.rate),
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }
    # An older limbo refuses a file with names it does not know: only a key that needs one has it.
    added = {
        "client": key.client_id,
        "networks": [*key.networks.texts] or None,
        "read_rate": None if key.read_rate is None else str(key.read_rate),
        "expires_at": key.expires_at,
    }
    return document | {name: value for name, value in added.items() if value is not None}


def _key(item: object) -> ApiKey:
    if not isinstance(item, dict):
        raise ValueError("must be an object")  # noqa: TRY004 - the file is wrong, not the code
    for name in item:
        if name not in _READERS:
            raise ValueError(f"{one_line(name)}: is none of {', '.join(_READERS)}")
    values = {name: _read(item, name) for name in _READERS}
    return ApiKey(client_id=values.pop("client"), allowed_from=values.pop("from"), **values)


def _read(item: Mapping[str, object], name: str) -> Any:  # noqa: ANN401 - each field has its type
    try:
        return _READERS[name](item.get(name))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004
    return value


def _sha256(value: object) -> str:
    if not _SHA256.fullmatch(_text(value)):
        raise ValueError("must be 64 hex digits, in lower case")
    return _text(value)


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("must be a list of strings")  # noqa: TRY004
    return [_text(item) for item in value]


def _rate(value: object) -> Rate:
    return parse_rate(_text(value))


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be seconds since the epoch")  # noqa: TRY004
    if not 0 <= value < _YEAR_10000:
        raise ValueError("must be in the years 1970 to 9999")
    return float(value)


def _optional(read: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: None if value is None else read(value)


_READERS: Mapping[str, Callable[[object], object]] = {
    "id": _text,
    "client": _optional(_text),
    "name": _text,
    "sha256": _sha256,
    "scopes": lambda value: parse_scopes(_texts(value)),
    "from": lambda value: parse_allow_list(_texts([] if value is None else value)),
    "networks": lambda value: parse_networks(_texts([] if value is None else value)),
    "rate": _optional(_rate),
    "read_rate": _optional(_rate),
    "created_at": _time,
    "expires_at": _optional(_time),
    "revoked_at": _optional(_time),
}
