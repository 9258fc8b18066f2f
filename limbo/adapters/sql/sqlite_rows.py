"""Turns a statement for one row into one that SQLite runs for many rows.

Each run of a statement releases the interpreter's lock. If another thread takes the lock, getting
it back takes longer than the run itself.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter

# Rows of one run. There are few sizes, so that few texts are compiled and all stay cached.
_SIZES = (64, 32, 16, 8, 4, 2, 1)
_NAME = re.compile(r":([a-z_]+)")
_ROW = re.compile(r"\bVALUES\s*(\([^)]*\))")

_Pick = Callable[[Sequence[object]], Sequence[object]]


def for_many(
    sql: str, columns: Mapping[str, Sequence[object]], now: float
) -> Iterator[tuple[str, Sequence[object]]]:
    """Yield the statements to run for the rows of the columns, each with its values.

    The part behind ``VALUES`` is repeated for each row. A statement without ``VALUES`` runs once
    for each row.
    """
    rows = [*zip(*columns.values(), strict=True)]
    names, start = tuple(columns), 0
    for size in _SIZES if _ROW.search(sql) else (1,):
        while len(rows) - start >= size:
            values: list[object] = [now]
            for row in rows[start : start + size]:
                values += row
            statement, pick = _for_rows(sql, names, size)
            yield statement, pick(values)
            start += size


def in_one_run(sql: str, columns: Mapping[str, Sequence[object]]) -> bool:
    """Tell whether ``for_many`` yields only one statement."""
    count = len(next(iter(columns.values())))
    return count in _SIZES if _ROW.search(sql) else count == 1


@lru_cache(maxsize=128)
def _for_rows(sql: str, names: Sequence[str], size: int) -> tuple[str, _Pick]:
    """Return the statement for that many rows, and a function that puts its values in order.

    The function gets the time, and then the values of each row. A value that is named twice is
    bound twice: until Python 3.12, sqlite3 takes SQLite's numbered parameters for names that need a
    mapping.
    """
    places: list[int] = []

    def placed(text: str, row: int) -> str:
        def place(found: re.Match[str]) -> str:
            name = found[1]
            places.append(0 if name == "now" else 1 + row * len(names) + names.index(name))
            return "?"

        return _NAME.sub(place, text)

    found = _ROW.search(sql)
    if found is None:
        return placed(sql, 0), _picker(places)
    parts = [placed(sql[: found.start(1)], 0)]
    parts.append(", ".join(placed(found[1], row) for row in range(size)))
    parts.append(placed(sql[found.end(1) :], 0))
    return "".join(parts), _picker(places)


def _picker(places: Sequence[int]) -> _Pick:
    if len(places) == 1:
        return lambda values: (values[places[0]],)
    pick: _Pick = itemgetter(*places)
    return pick
