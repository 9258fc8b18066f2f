"""What the touches of a mail say about it travels with the mail."""

COMPATIBLE_WITH = 4
SQLITE = (
    "ALTER TABLE limbo_queue ADD COLUMN log_likelihood double precision NOT NULL DEFAULT 0",
    "ALTER TABLE limbo_queue ADD COLUMN refused_since double precision",
)
POSTGRESQL = (
    "ALTER TABLE limbo_queue ADD COLUMN log_likelihood double precision NOT NULL DEFAULT 0",
    "ALTER TABLE limbo_queue ADD COLUMN refused_since double precision",
)
