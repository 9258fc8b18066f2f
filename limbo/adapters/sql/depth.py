"""How full a SQL queue is, at a cost that does not grow with it.

Triggers keep the number of all mails, and a partial index finds those that are leased. What is
ready or deferred is counted up to a limit: whichever has an end before it gives the other one.
"""

from limbo.adapters.sql.database import Database, Dialect
from limbo.ports.queue import Depth

# SQLite looks at them in half a millisecond. PostgreSQL may have to fetch each row.
_ENOUGH = {Dialect.SQLITE: 10_000, Dialect.POSTGRESQL: 2_500}
_MOST_IN_FLIGHT = 10_000
# An order and a limit for each: without them PostgreSQL, as long as nothing is known of the table
# or what is known is old, might go through all of it.
_COUNTS = """
    SELECT (
            SELECT CAST(coalesce(sum(mails), 0) AS bigint) FROM limbo_counts WHERE kind = ''
        ) AS mails,
        (
            SELECT count(*) FROM (
                SELECT 1 FROM limbo_queue WHERE receipt IS NOT NULL AND due > :now
                ORDER BY due LIMIT :most
            ) AS leased
        ) AS in_flight,
        (
            SELECT count(*) FROM (
                SELECT 1 FROM limbo_queue WHERE due {when} :now ORDER BY due LIMIT :enough
            ) AS those
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


def depth(
    database: Database, *, enough: int | None = None, most_in_flight: int = _MOST_IN_FLIGHT
) -> Depth:
    """Count the mails, what is ready or deferred exactly if one of both is less than ``enough``.

    If neither is, ``deferred`` is the least that it can be. So is what is in flight from
    ``most_in_flight`` on. Either makes the depth an estimate.
    """
    enough = enough or _ENOUGH[database.dialect]
    limits = {"enough": enough, "most": most_in_flight}
    [[mails, in_flight, ready]] = database.execute(_DUE, limits)
    is_estimate = False
    if ready >= enough:
        [[mails, in_flight, not_due]] = database.execute(_NOT_DUE, limits)
        ready, is_estimate = mails - not_due, not_due >= enough
    [[age]] = database.execute(_AGE)
    return Depth(
        ready=ready,
        in_flight=in_flight,
        deferred=max(0, mails - ready - in_flight),
        oldest_age=max(0.0, age or 0.0),
        dead=dict(database.execute(_DEAD)),
        is_estimate=is_estimate or in_flight >= most_in_flight,
    )
