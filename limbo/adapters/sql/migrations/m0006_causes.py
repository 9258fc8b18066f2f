"""The id of each dead letter's cause, and indexes for a list of one cause or kind."""

COMPATIBLE_WITH = 4
# An older limbo writes no ``cause_id``; the next question about causes fills it in.
SQLITE = (
    "ALTER TABLE limbo_dead_letters ADD COLUMN cause_id text",
    "CREATE INDEX limbo_dead_letters_cause_id ON limbo_dead_letters (cause_id, id)",
    "CREATE INDEX limbo_dead_letters_kind ON limbo_dead_letters (kind, id)",
)
POSTGRESQL = (
    'ALTER TABLE limbo_dead_letters ADD COLUMN cause_id text COLLATE "C"',
    "CREATE INDEX limbo_dead_letters_cause_id ON limbo_dead_letters (cause_id, id)",
    "CREATE INDEX limbo_dead_letters_kind ON limbo_dead_letters (kind, id)",
)
