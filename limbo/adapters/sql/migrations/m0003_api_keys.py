"""The API keys."""

SQLITE = (
    """
    CREATE TABLE limbo_api_keys (
        id text PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        scopes text NOT NULL,
        senders text NOT NULL,
        rate text,
        created_at double precision NOT NULL,
        revoked_at double precision
    )
    """,
)
POSTGRESQL = (
    """
    CREATE TABLE limbo_api_keys (
        id text COLLATE "C" PRIMARY KEY,
        name text NOT NULL,
        sha256 text NOT NULL,
        scopes text NOT NULL,
        senders text NOT NULL,
        rate text,
        created_at double precision NOT NULL,
        revoked_at double precision
    )
    """,
)
