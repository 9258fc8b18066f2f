"""How full a SQL queue is, at a cost that does not grow with it.

Triggers keep the number of all mails, and a partial index finds those that are leased. What is
ready or deferred is counted up to a limit: whichever has an end before it gives the other one.
"""

from limbo.adapters.sql.database import Database
from limbo.ports.queue import Depth

_ENOUGH = 10_000
_COUNTS = """
    SELECT (
            SELECT CAST(coalesce(sum(mails), 0) AS bigint) FROM limbo_counts WHERE kind = ''
        ) AS mails,
        (SELECT count(*) FROM limbo_queue WHERE receipt IS NOT NULL AND due > :now) AS in_flight,
        (
            SELECT count(*) FROM
            (SELECT 1 FROM limbo_queue WHERE due {when} :now ORDER BY due LIMIT :enough) AS those
        ) AS counted
"""
_DUE = _COUNTS.format(when="<=")
_NOT_DUE = _COUNTS.format(when=">")
# Ids sort by submission, and a mail that was redriven has an early one: step over so many of these.
_AGE = """
    SELECT :now - min(since) FROM (
        SELECT min(redriven_at) AS since FROM limbo_queue WHERE redriven_at IS NOT NULL
        UNION ALL
        SELECT * FROM (
            SELECT submitted_at FROM (
                SELECT submitted_at, redriven_at FROM limbo_queue ORDER BY id LIMIT 1000
            ) AS first WHERE redriven_at IS NULL LIMIT 1
        ) AS oldest
    ) AS ages
"""
_DEAD = """
    SELECT kind, CAST(sum(mails) AS bigint) FROM limbo_counts
    WHERE kind <> '' GROUP BY kind HAVING sum(mails) > 0
"""


def depth(database: Database, *, enough: int = _ENOUGH) -> Depth:
    """Count the mails, what is ready or deferred exactly if one of both is less than ``enough``.

    If neither is, ``deferred`` is the least that it can be, and the depth is called an estimate.
    """
    [[mails, in_flight, ready]] = database.execute(_DUE, {"enough": enough})
    is_estimate = False
    if ready >= enough:
        [[mails, in_flight, not_due]] = database.execute(_NOT_DUE, {"enough": enough})
        ready, is_estimate = mails - not_due, not_due >= enough
    [[age]] = database.execute(_AGE)
    return Depth(
        ready=ready,
        in_flight=in_flight,
        deferred=max(0, mails - ready - in_flight),
        oldest_age=max(0.0, age or 0.0),
        dead=dict(database.execute(_DEAD)),
        is_estimate=is_estimate,
    )
