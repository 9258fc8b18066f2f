"""The ledger: what becomes of each mail."""

SQLITE = (
    # What changes with every attempt is apart from the content, which is read and purged by itself.
    # ``last_start`` and an attempt without an outcome say what was begun and perhaps never ended.
    """
    CREATE TABLE limbo_mails (
        id text PRIMARY KEY,
        client text NOT NULL,
        status text NOT NULL,
        submitted_at double precision NOT NULL,
        updated_at double precision NOT NULL,
        last_start double precision,
        next_at double precision,
        possible_duplicate boolean NOT NULL DEFAULT FALSE,
        sender text NOT NULL,
        recipients text NOT NULL,
        subject text NOT NULL,
        cause blob
    ) WITHOUT ROWID
    """,
    "CREATE INDEX limbo_mails_client ON limbo_mails (client, id)",
    "CREATE INDEX limbo_mails_status ON limbo_mails (client, status, id)",
    "CREATE TABLE limbo_contents (id text PRIMARY KEY, body blob NOT NULL)",
    """
    CREATE TABLE limbo_recipients (
        address text NOT NULL,
        client text NOT NULL,
        id text NOT NULL,
        PRIMARY KEY (address, client, id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE limbo_attempts (
        mail_id text NOT NULL,
        started_at double precision NOT NULL,
        sender text NOT NULL,
        outcome blob,
        PRIMARY KEY (mail_id, started_at, sender)
    ) WITHOUT ROWID
    """,
    # ``name`` is a hash of client and key; ``at`` when the key was used, or its mail reserved last.
    """
    CREATE TABLE limbo_idempotency (
        name blob NOT NULL PRIMARY KEY,
        fingerprint text NOT NULL,
        mail_id text NOT NULL,
        at double precision NOT NULL
    ) WITHOUT ROWID
    """,
    "CREATE INDEX limbo_idempotency_at ON limbo_idempotency (at)",
)
POSTGRESQL = (
    """
    CREATE TABLE limbo_mails (
        id text COLLATE "C" PRIMARY KEY,
        client text COLLATE "C" NOT NULL,
        status text COLLATE "C" NOT NULL,
        submitted_at double precision NOT NULL,
        updated_at double precision NOT NULL,
        last_start double precision,
        next_at double precision,
        possible_duplicate boolean NOT NULL DEFAULT FALSE,
        sender text NOT NULL,
        recipients text NOT NULL,
        subject text NOT NULL,
        cause bytea
    )
    """,
    # An id in other words, which only a client's index knows: else the planner might go through all
    # mails in the order of their ids, in the hope of soon meeting enough of the client's.
    "CREATE INDEX limbo_mails_client ON limbo_mails (client, (id || ''))",
    "CREATE INDEX limbo_mails_status ON limbo_mails (client, status, (id || ''))",
    'CREATE TABLE limbo_contents (id text COLLATE "C" PRIMARY KEY, body bytea NOT NULL)',
    """
    CREATE TABLE limbo_recipients (
        address text COLLATE "C" NOT NULL,
        client text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        PRIMARY KEY (address, client, id)
    )
    """,
    """
    CREATE TABLE limbo_attempts (
        mail_id text COLLATE "C" NOT NULL,
        started_at double precision NOT NULL,
        sender text COLLATE "C" NOT NULL,
        outcome bytea,
        PRIMARY KEY (mail_id, started_at, sender)
    )
    """,
    """
    CREATE TABLE limbo_idempotency (
        name bytea NOT NULL PRIMARY KEY,
        fingerprint text NOT NULL,
        mail_id text COLLATE "C" NOT NULL,
        at double precision NOT NULL
    )
    """,
    "CREATE INDEX limbo_idempotency_at ON limbo_idempotency (at)",
    """
    ALTER TABLE limbo_mails
    SET (
        autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.05
    )
    """,
    """
    ALTER TABLE limbo_attempts
    SET (
        autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.05
    )
    """,
)
