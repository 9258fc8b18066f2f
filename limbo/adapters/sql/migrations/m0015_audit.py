"""What admins did."""

COMPATIBLE_WITH = 4
SQLITE = (
    """
    CREATE TABLE limbo_audit (
        id text PRIMARY KEY,
        at double precision NOT NULL,
        who text NOT NULL,
        origin text NOT NULL,
        action text NOT NULL,
        selection text NOT NULL,
        result text NOT NULL,
        count integer
    )
    """,
    "CREATE INDEX limbo_audit_who ON limbo_audit (who, id)",
)
POSTGRESQL = (
    """
    CREATE TABLE limbo_audit (
        id text COLLATE "C" PRIMARY KEY,
        at double precision NOT NULL,
        who text COLLATE "C" NOT NULL,
        origin text NOT NULL,
        action text COLLATE "C" NOT NULL,
        selection text NOT NULL,
        result text NOT NULL,
        count bigint
    )
    """,
    "CREATE INDEX limbo_audit_who ON limbo_audit (who, id)",
)
