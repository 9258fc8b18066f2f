"""An index of all that a list of dead letters shows."""

COMPATIBLE_WITH = 4
# In SQLite's table most of it stands behind the body, which would be read to get there.
SQLITE = (
    """
    CREATE INDEX limbo_dead_letters_entry ON limbo_dead_letters (
        id, mail_id, submitted_at, kind, sender, reason, attempts, buried_at, possible_duplicate
    )
    """,
)
POSTGRESQL: tuple[str, ...] = ()
