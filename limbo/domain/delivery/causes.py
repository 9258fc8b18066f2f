"""Counts causes of death."""

from collections import Counter
from collections.abc import Iterable, Sequence

from limbo.domain.delivery.verdict import Cause


def most_frequent(causes: Iterable[Cause], limit: int) -> Sequence[tuple[Cause, int]]:
    """Count the causes, and return the ``limit`` most frequent ones, that one first.

    Those with the same id count as one, which the last of them shows.
    """
    counts: Counter[str] = Counter()
    shown: dict[str, Cause] = {}
    for cause in causes:
        counts[cause.id] += 1
        shown[cause.id] = cause
    return [(shown[id_], count) for id_, count in counts.most_common(limit)]
