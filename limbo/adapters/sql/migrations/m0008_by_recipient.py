"""The recipients of mails, by what became of the mails."""

COMPATIBLE_WITH = 4
# Every mail passes through submitting, queued and sending; entries for these would double the price
# of each step. What a mail comes to is entered by triggers, so that an older limbo enters it too.
SQLITE = (
    """
    CREATE TABLE limbo_recipients_by_status (
        address text NOT NULL,
        client text NOT NULL,
        status text NOT NULL,
        id text NOT NULL,
        PRIMARY KEY (address, client, status, id)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO limbo_recipients_by_status (address, client, status, id)
    SELECT r.address, r.client, m.status, r.id
    FROM limbo_recipients AS r JOIN limbo_mails AS m ON m.id = r.id
    WHERE m.status NOT IN ('submitting', 'queued', 'sending')
    ORDER BY 1, 2, 3, 4
    """,
    """
    CREATE TRIGGER limbo_status_reached AFTER UPDATE OF status ON limbo_mails
    WHEN NEW.status NOT IN ('submitting', 'queued', 'sending', OLD.status) BEGIN
        INSERT INTO limbo_recipients_by_status (address, client, status, id)
        SELECT lower(value), NEW.client, NEW.status, NEW.id
        FROM json_each(CASE WHEN json_valid(NEW.recipients) THEN NEW.recipients ELSE '[]' END)
        WHERE TRUE ON CONFLICT (address, client, status, id) DO NOTHING;
    END
    """,
    """
    CREATE TRIGGER limbo_status_left AFTER UPDATE OF status ON limbo_mails
    WHEN OLD.status NOT IN ('submitting', 'queued', 'sending', NEW.status) BEGIN
        DELETE FROM limbo_recipients_by_status
        WHERE client = OLD.client AND status = OLD.status AND id = OLD.id AND address IN (
            SELECT lower(value)
            FROM json_each(CASE WHEN json_valid(OLD.recipients) THEN OLD.recipients ELSE '[]' END)
        );
    END
    """,
    """
    CREATE TRIGGER limbo_mail_forgotten AFTER DELETE ON limbo_mails
    WHEN OLD.status NOT IN ('submitting', 'queued', 'sending') BEGIN
        DELETE FROM limbo_recipients_by_status
        WHERE client = OLD.client AND status = OLD.status AND id = OLD.id AND address IN (
            SELECT lower(value)
            FROM json_each(CASE WHEN json_valid(OLD.recipients) THEN OLD.recipients ELSE '[]' END)
        );
    END
    """,
)
POSTGRESQL = (
    """
    CREATE TABLE limbo_recipients_by_status (
        address text COLLATE "C" NOT NULL,
        client text COLLATE "C" NOT NULL,
        status text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL,
        PRIMARY KEY (address, client, status, id)
    )
    """,
    """
    INSERT INTO limbo_recipients_by_status (address, client, status, id)
    SELECT r.address, r.client, m.status, r.id
    FROM limbo_recipients AS r JOIN limbo_mails AS m ON m.id = r.id
    WHERE m.status NOT IN ('submitting', 'queued', 'sending')
    """,
    """
    CREATE FUNCTION limbo_status_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.status NOT IN ('submitting', 'queued', 'sending') THEN
            DELETE FROM limbo_recipients_by_status AS r
            USING json_array_elements_text(OLD.recipients::json) AS given
            WHERE r.address = lower(given COLLATE "C") AND r.client = OLD.client
                AND r.status = OLD.status AND r.id = OLD.id;
        END IF;
        IF TG_OP = 'UPDATE' THEN
            IF NEW.status NOT IN ('submitting', 'queued', 'sending') THEN
                INSERT INTO limbo_recipients_by_status (address, client, status, id)
                SELECT lower(given COLLATE "C"), NEW.client, NEW.status, NEW.id
                FROM json_array_elements_text(NEW.recipients::json) AS given
                ORDER BY 1 ON CONFLICT (address, client, status, id) DO NOTHING;
            END IF;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER limbo_status_changed AFTER UPDATE OF status ON limbo_mails FOR EACH ROW
    WHEN (
        OLD.status <> NEW.status AND (
            OLD.status NOT IN ('submitting', 'queued', 'sending')
            OR NEW.status NOT IN ('submitting', 'queued', 'sending')
        )
    )
    EXECUTE FUNCTION limbo_status_changed()
    """,
    """
    CREATE TRIGGER limbo_mail_forgotten AFTER DELETE ON limbo_mails FOR EACH ROW
    WHEN (OLD.status NOT IN ('submitting', 'queued', 'sending'))
    EXECUTE FUNCTION limbo_status_changed()
    """,
)
