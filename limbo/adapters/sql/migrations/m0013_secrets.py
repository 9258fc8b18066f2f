"""The secrets that the installation makes for itself."""

COMPATIBLE_WITH = 4
SQLITE = (
    """
    CREATE TABLE limbo_secrets (
        name text PRIMARY KEY,
        secret blob NOT NULL,
        created_at double precision NOT NULL
    )
    """,
)
POSTGRESQL = (
    """
    CREATE TABLE limbo_secrets (
        name text COLLATE "C" PRIMARY KEY,
        secret bytea NOT NULL,
        created_at double precision NOT NULL
    )
    """,
)
