"""The tables of a SQL ledger."""

from collections.abc import Sequence

# ``{late}`` is the id in the words of one dialect, see LedgerSql.
# What changes with every attempt is apart from the content, which is read and purged by itself.
# ``last_start`` and an attempt without an outcome say what was begun and perhaps never ended.
_MAILS = """
    CREATE TABLE limbo_mails (
        id {key} PRIMARY KEY,
        client {key} NOT NULL,
        status {key} NOT NULL,
        submitted_at double precision NOT NULL,
        updated_at double precision NOT NULL,
        last_start double precision,
        next_at double precision,
        possible_duplicate boolean NOT NULL DEFAULT FALSE,
        sender text NOT NULL,
        recipients text NOT NULL,
        subject text NOT NULL,
        cause {bytes}
    ) {clustered}
"""
_CONTENTS = "CREATE TABLE limbo_contents (id {key} PRIMARY KEY, body {bytes} NOT NULL)"
_RECIPIENTS = """
    CREATE TABLE limbo_recipients (
        address {key} NOT NULL,
        client {key} NOT NULL,
        id {key} NOT NULL,
        PRIMARY KEY (address, client, id)
    ) {clustered}
"""
_ATTEMPTS = """
    CREATE TABLE limbo_attempts (
        mail_id {key} NOT NULL,
        started_at double precision NOT NULL,
        sender {key} NOT NULL,
        outcome {bytes},
        PRIMARY KEY (mail_id, started_at, sender)
    ) {clustered}
"""
# ``name`` is a hash of client and key; ``at`` when the key was used, or its mail reserved last.
_KEYS = """
    CREATE TABLE limbo_idempotency (
        name {bytes} NOT NULL PRIMARY KEY,
        fingerprint text NOT NULL,
        mail_id {key} NOT NULL,
        at double precision NOT NULL
    ) {clustered}
"""
LEDGER: Sequence[str] = (
    _MAILS,
    "CREATE INDEX limbo_mails_client ON limbo_mails (client, {late})",
    "CREATE INDEX limbo_mails_status ON limbo_mails (client, status, {late})",
    _CONTENTS,
    _RECIPIENTS,
    _ATTEMPTS,
    _KEYS,
    "CREATE INDEX limbo_idempotency_at ON limbo_idempotency (at)",
)
# What is inserted here goes into all tables, by one statement: each run of one gives up the
# interpreter's lock. Without ``due`` the queue lies elsewhere.
SUBMISSIONS_ON_SQLITE: Sequence[str] = (
    """
    CREATE VIEW limbo_submissions AS
    SELECT m.id, m.client, m.status, m.submitted_at, m.sender, m.recipients, m.subject, c.body,
        q.due
    FROM limbo_mails AS m JOIN limbo_contents AS c ON c.id = m.id
        LEFT JOIN limbo_queue AS q ON q.id = m.id
    """,
    """
    CREATE TRIGGER limbo_submit INSTEAD OF INSERT ON limbo_submissions BEGIN
        INSERT INTO limbo_mails
            (id, client, status, submitted_at, updated_at, sender, recipients, subject)
        VALUES (
            NEW.id, NEW.client, NEW.status, NEW.submitted_at, NEW.submitted_at, NEW.sender,
            NEW.recipients, NEW.subject
        )
        ON CONFLICT (id) DO NOTHING;
        INSERT INTO limbo_contents (id, body) VALUES (NEW.id, NEW.body)
        ON CONFLICT (id) DO NOTHING;
        INSERT INTO limbo_recipients (address, client, id)
        SELECT lower(value), NEW.client, NEW.id FROM json_each(NEW.recipients) WHERE TRUE
        ON CONFLICT (address, client, id) DO NOTHING;
        INSERT INTO limbo_queue (id, body, submitted_at, due)
        SELECT NEW.id, NEW.body, NEW.submitted_at, NEW.due WHERE NEW.due IS NOT NULL
        ON CONFLICT (id) DO NOTHING;
    END
    """,
)
_OFTEN = """
    SET (
        autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.05
    )
"""
LEDGER_ON_POSTGRESQL: Sequence[str] = (
    f"ALTER TABLE limbo_mails {_OFTEN}",
    f"ALTER TABLE limbo_attempts {_OFTEN}",
)
