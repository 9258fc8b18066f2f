"""Columns as PostgreSQL's binary arrays. They are faster than psycopg, which dumps each value."""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

from psycopg import adapters
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_HEAD = Struct("!iiIii")  # dimensions, whether there are nulls, type, length, first index
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)


class _Column(list[Any]):
    """A column whose values all have one type or are None."""


class _Texts(_Column):
    pass


class _Floats(_Column):
    pass


class _Bytes(_Column):
    pass


class _Booleans(_Column):
    pass


_COLUMNS: dict[type, type[_Column]] = {
    str: _Texts,
    float: _Floats,
    bytes: _Bytes,
    bool: _Booleans,
}


def as_column(values: Sequence[object]) -> Sequence[object]:
    """Return the values as a column that is dumped at once, if their type allows it."""
    kinds = {type(value) for value in values if value is not None}
    column = _COLUMNS.get(kinds.pop()) if len(kinds) == 1 else None
    return values if column is None else column(values)


def _dumper(encode: Callable[[Any], bytes], element: int, array: int) -> type[Dumper]:
    class ColumnDumper(Dumper):
        format = Format.BINARY
        oid = array

        def dump(self, obj: Sequence[object]) -> bytes:
            parts = [_HEAD.pack(1, None in obj, element, len(obj), 1)]
            for value in obj:
                if value is None:
                    parts.append(_NULL)
                else:
                    data = encode(value)
                    parts += (_LENGTH.pack(len(data)), data)
            return b"".join(parts)

    return ColumnDumper


def with_columns() -> AdaptersMap:
    """Return psycopg's adapters together with those for columns."""
    known = AdaptersMap(adapters)
    known.register_dumper(_Texts, _dumper(str.encode, 25, 1009))
    known.register_dumper(_Floats, _dumper(Struct("!d").pack, 701, 1022))
    known.register_dumper(_Bytes, _dumper(bytes, 17, 1001))
    known.register_dumper(_Booleans, _dumper(Struct("!?").pack, 16, 1000))
    return known
