"""A statement for one row, as SQLite runs it for many.

Each run of a statement gives up the interpreter's lock, and has to get it back from whoever took it
meanwhile: for a mail that is to be kept, that took longer than all else.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

# Rows of one run: few sizes, so that few texts have to be compiled, and stay in the cache.
_SIZES = (64, 32, 16, 8, 4, 2, 1)
_NAME = re.compile(r":([a-z_]+)")
_ROW = re.compile(r"\bVALUES\s*(\([^)]*\))")


def for_many(
    sql: str, columns: Mapping[str, Sequence[object]], now: float
) -> Iterator[tuple[str, Sequence[object]]]:
    """Yield what to run, and with which values, for the rows of the columns.

    What follows ``VALUES`` in the statement is repeated; one that has no ``VALUES`` is run for each
    row.
    """
    rows = [*zip(*columns.values(), strict=True)]
    names, start = tuple(columns), 0
    for size in _SIZES if _ROW.search(sql) else (1,):
        while len(rows) - start >= size:
            values = [now]
            for row in rows[start : start + size]:
                values += row
            yield _numbered(sql, names, size), values
            start += size


def in_one_run(sql: str, columns: Mapping[str, Sequence[object]]) -> bool:
    """Say whether ``for_many`` yields but one."""
    count = len(next(iter(columns.values())))
    return count in _SIZES if _ROW.search(sql) else count == 1


@lru_cache(maxsize=128)
def _numbered(sql: str, names: Sequence[str], size: int) -> str:
    """Return the statement for so many rows, its values numbered row by row, the time first."""

    def numbered(text: str, row: int) -> str:
        numbers = {name: 2 + row * len(names) + at for at, name in enumerate(names)}
        numbers["now"] = 1
        return _NAME.sub(lambda found: f"?{numbers[found[1]]}", text)

    found = _ROW.search(sql)
    if found is None:
        return numbered(sql, 0)
    rows = ", ".join(numbered(found[1], row) for row in range(size))
    return numbered(sql[: found.start(1)], 0) + rows + numbered(sql[found.end(1) :], 0)
