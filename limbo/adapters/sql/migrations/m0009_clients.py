"""Keys of one client, with networks, an end and a last use; the key of each mail."""

COMPATIBLE_WITH = 4
SQLITE = (
    # Without a client a key is a client of its own. What is empty is so for an older limbo's rows.
    "ALTER TABLE limbo_api_keys ADD COLUMN client text",
    "ALTER TABLE limbo_api_keys ADD COLUMN networks text",
    "ALTER TABLE limbo_api_keys ADD COLUMN read_rate text",
    "ALTER TABLE limbo_api_keys ADD COLUMN expires_at double precision",
    "ALTER TABLE limbo_api_keys ADD COLUMN last_used_at double precision",
    "ALTER TABLE limbo_mails ADD COLUMN key text",
    # It finds a key's mails by their status too, few among many, and holds none without a key.
    "CREATE INDEX limbo_mails_key ON limbo_mails (key, client, status, id) WHERE key IS NOT NULL",
    "DROP TRIGGER limbo_submit",
    "DROP VIEW limbo_submissions",
    """
    CREATE VIEW limbo_submissions AS
    SELECT m.id, m.client, m.status, m.submitted_at, m.sender, m.recipients, m.subject, c.body,
        q.due, m.key
    FROM limbo_mails AS m JOIN limbo_contents AS c ON c.id = m.id
        LEFT JOIN limbo_queue AS q ON q.id = m.id
    """,
    """
    CREATE TRIGGER limbo_submit INSTEAD OF INSERT ON limbo_submissions BEGIN
        INSERT INTO limbo_mails
            (id, client, status, submitted_at, updated_at, sender, recipients, subject, key)
        VALUES (
            NEW.id, NEW.client, NEW.status, NEW.submitted_at, NEW.submitted_at, NEW.sender,
            NEW.recipients, NEW.subject, NEW.key
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
POSTGRESQL = (
    """
    ALTER TABLE limbo_api_keys
        ADD COLUMN client text COLLATE "C",
        ADD COLUMN networks text,
        ADD COLUMN read_rate text,
        ADD COLUMN expires_at double precision,
        ADD COLUMN last_used_at double precision
    """,
    'ALTER TABLE limbo_mails ADD COLUMN key text COLLATE "C"',
    # An id in other words, as in the indexes on clients.
    """
    CREATE INDEX limbo_mails_key ON limbo_mails (key, client, status, (id || ''))
    WHERE key IS NOT NULL
    """,
)
