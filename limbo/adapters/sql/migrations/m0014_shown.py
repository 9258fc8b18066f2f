"""The fields that a list shows of a mail, where the other columns do not tell them."""

COMPATIBLE_WITH = 4
# NULL in rows of an older limbo, which do not tell ``to`` from ``cc`` and ``bcc``.
SQLITE = (
    "ALTER TABLE limbo_mails ADD COLUMN shown text",
    "DROP TRIGGER limbo_submit",
    "DROP VIEW limbo_submissions",
    """
    CREATE VIEW limbo_submissions AS
    SELECT m.id, m.client, m.status, m.submitted_at, m.sender, m.recipients, m.subject, c.body,
        q.due, m.key, m.shown
    FROM limbo_mails AS m JOIN limbo_contents AS c ON c.id = m.id
        LEFT JOIN limbo_queue AS q ON q.id = m.id
    """,
    """
    CREATE TRIGGER limbo_submit INSTEAD OF INSERT ON limbo_submissions BEGIN
        INSERT INTO limbo_mails
            (id, client, status, submitted_at, updated_at, sender, recipients, subject, key,
                shown)
        VALUES (
            NEW.id, NEW.client, NEW.status, NEW.submitted_at, NEW.submitted_at, NEW.sender,
            NEW.recipients, NEW.subject, NEW.key, NEW.shown
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
POSTGRESQL = ("ALTER TABLE limbo_mails ADD COLUMN shown text",)
