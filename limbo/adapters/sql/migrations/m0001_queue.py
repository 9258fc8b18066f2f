"""The queue and its dead letters."""

SQLITE = (
    "CREATE TABLE limbo_schema (version integer NOT NULL)",
    # A mail is free when it has no receipt, else leased; either way it may be taken once it is due.
    """
    CREATE TABLE limbo_queue (
        id text PRIMARY KEY,
        body blob NOT NULL,
        submitted_at double precision NOT NULL,
        due double precision NOT NULL,
        receipt text,
        touches integer NOT NULL DEFAULT 0,
        possible_duplicate boolean NOT NULL DEFAULT FALSE
    )
    """,
    # It holds what a depth is counted from, so that counting reads no bodies.
    "CREATE INDEX limbo_queue_due ON limbo_queue (due, receipt, submitted_at)",
    """
    CREATE TABLE limbo_dead_letters (
        id text PRIMARY KEY,
        mail_id text NOT NULL,
        body blob NOT NULL,
        submitted_at double precision NOT NULL,
        kind text NOT NULL,
        sender text NOT NULL,
        reason text NOT NULL,
        attempts blob NOT NULL,
        buried_at double precision NOT NULL,
        possible_duplicate boolean NOT NULL
    )
    """,
    "CREATE INDEX limbo_dead_letters_cause ON limbo_dead_letters (kind, sender, reason, id)",
    "CREATE INDEX limbo_dead_letters_mail ON limbo_dead_letters (mail_id)",
)
POSTGRESQL = (
    "CREATE TABLE limbo_schema (version integer NOT NULL)",
    """
    CREATE TABLE limbo_queue (
        id text COLLATE "C" PRIMARY KEY,
        body bytea NOT NULL,
        submitted_at double precision NOT NULL,
        due double precision NOT NULL,
        receipt text,
        touches integer NOT NULL DEFAULT 0,
        possible_duplicate boolean NOT NULL DEFAULT FALSE
    )
    """,
    "CREATE INDEX limbo_queue_due ON limbo_queue (due, receipt, submitted_at)",
    """
    CREATE TABLE limbo_dead_letters (
        id text COLLATE "C" PRIMARY KEY,
        mail_id text COLLATE "C" NOT NULL,
        body bytea NOT NULL,
        submitted_at double precision NOT NULL,
        kind text NOT NULL,
        sender text NOT NULL,
        reason text NOT NULL,
        attempts bytea NOT NULL,
        buried_at double precision NOT NULL,
        possible_duplicate boolean NOT NULL
    )
    """,
    "CREATE INDEX limbo_dead_letters_cause ON limbo_dead_letters (kind, sender, reason, id)",
    "CREATE INDEX limbo_dead_letters_mail ON limbo_dead_letters (mail_id)",
    # Every mail leaves at least two dead rows: left to the defaults, a vacuum would come only after
    # a fifth of the table has died, and each claim would step over all of that.
    """
    ALTER TABLE limbo_queue SET (
        autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_scale_factor = 0.05,
        autovacuum_analyze_scale_factor = 0.05
    )
    """,
)
