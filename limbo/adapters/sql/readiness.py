"""Finds out whether a database takes a mail now."""

from limbo.adapters.sql.database import Database

# It is always the same row, so it takes no room. Only a commit shows that the disk takes a commit.
_WRITE = """
    INSERT INTO limbo_readiness (id, at) VALUES (1, :now)
    ON CONFLICT (id) DO UPDATE SET at = excluded.at
"""


def check_write(database: Database) -> None:
    """Commit one row, under the conditions of a mail. Raises DatabaseUnavailable if that fails."""
    database.check_room()
    database.execute(_WRITE)
