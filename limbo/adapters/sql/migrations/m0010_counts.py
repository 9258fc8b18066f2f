"""How many mails wait and lie dead, kept by triggers; when a mail was put back into the queue.

The index of what is due had to hold what a depth was counted from. A narrow one saves a mail more
than the triggers cost.
"""

COMPATIBLE_WITH = 4
SQLITE = (
    # NULL unless the mail was redriven: its age in the queue counts from then.
    "ALTER TABLE limbo_queue ADD COLUMN redriven_at double precision",
    """
    CREATE INDEX limbo_queue_redriven ON limbo_queue (redriven_at) WHERE redriven_at IS NOT NULL
    """,
    "CREATE INDEX limbo_queue_next ON limbo_queue (due)",
    "DROP INDEX limbo_queue_due",
    "CREATE INDEX limbo_queue_leased ON limbo_queue (due) WHERE receipt IS NOT NULL",
    # ``kind`` is empty for the queue, which is row 1, and else the kind of cause of dead letters.
    # Without NOT NULL: a trigger that could fail would have SQLite copy each page of a statement.
    "CREATE TABLE limbo_counts (id integer PRIMARY KEY, kind text UNIQUE, mails integer)",
    "INSERT INTO limbo_counts (id, kind, mails) SELECT 1, '', count(*) FROM limbo_queue",
    """
    INSERT INTO limbo_counts (kind, mails)
    SELECT kind, count(*) FROM limbo_dead_letters GROUP BY kind
    """,
    """
    CREATE TRIGGER limbo_queue_counted AFTER INSERT ON limbo_queue BEGIN
        UPDATE limbo_counts SET mails = mails + 1 WHERE id = 1;
    END
    """,
    """
    CREATE TRIGGER limbo_queue_discounted AFTER DELETE ON limbo_queue BEGIN
        UPDATE limbo_counts SET mails = mails - 1 WHERE id = 1;
    END
    """,
    """
    CREATE TRIGGER limbo_dead_letters_counted AFTER INSERT ON limbo_dead_letters BEGIN
        INSERT INTO limbo_counts (kind, mails) VALUES (NEW.kind, 1)
        ON CONFLICT (kind) DO UPDATE SET mails = mails + 1;
    END
    """,
    """
    CREATE TRIGGER limbo_dead_letters_discounted AFTER DELETE ON limbo_dead_letters BEGIN
        UPDATE limbo_counts SET mails = mails - 1 WHERE kind = OLD.kind;
    END
    """,
)
POSTGRESQL = (
    # To alter the table keeps away all who write it until the end of the transaction.
    "ALTER TABLE limbo_queue ADD COLUMN redriven_at double precision",
    """
    CREATE INDEX limbo_queue_redriven ON limbo_queue (redriven_at) WHERE redriven_at IS NOT NULL
    """,
    "CREATE INDEX limbo_queue_next ON limbo_queue (due)",
    "DROP INDEX limbo_queue_due",
    "CREATE INDEX limbo_queue_leased ON limbo_queue (due) WHERE receipt IS NOT NULL",
    # Each statement that changes a count adds a row, as no two of them may wait for one another.
    # The sum is the count, and now and then one statement puts the sum in the place of the rows.
    "CREATE TABLE limbo_counts (kind text NOT NULL, mails bigint NOT NULL)",
    """
    ALTER TABLE limbo_counts SET (
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0
    )
    """,
    """
    CREATE FUNCTION limbo_sum_counts() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        WITH summed AS (
            DELETE FROM limbo_counts
            WHERE ctid = ANY (ARRAY(SELECT ctid FROM limbo_counts FOR UPDATE SKIP LOCKED))
            RETURNING kind, mails
        )
        INSERT INTO limbo_counts (kind, mails)
        SELECT kind, sum(mails) FROM summed GROUP BY kind;
    EXCEPTION WHEN serialization_failure THEN
        NULL;  -- where transactions are stricter by default, another one does it later
    END
    $$
    """,
    """
    CREATE FUNCTION limbo_count_queue() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        changed bigint := (SELECT count(*) FROM changed_rows);
    BEGIN
        IF changed > 0 THEN
            INSERT INTO limbo_counts (kind, mails)
            VALUES ('', CASE TG_OP WHEN 'INSERT' THEN changed ELSE -changed END);
            IF random() < 0.002 THEN
                PERFORM limbo_sum_counts();
            END IF;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE FUNCTION limbo_count_dead_letters() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO limbo_counts (kind, mails)
        SELECT kind, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END
        FROM changed_rows GROUP BY kind;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE FUNCTION limbo_count_none() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM limbo_counts WHERE (kind = '') = (TG_TABLE_NAME = 'limbo_queue');
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE TRIGGER limbo_queue_counted AFTER INSERT ON limbo_queue
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION limbo_count_queue()
    """,
    """
    CREATE TRIGGER limbo_queue_discounted AFTER DELETE ON limbo_queue
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION limbo_count_queue()
    """,
    """
    CREATE TRIGGER limbo_queue_emptied AFTER TRUNCATE ON limbo_queue
    FOR EACH STATEMENT EXECUTE FUNCTION limbo_count_none()
    """,
    """
    CREATE TRIGGER limbo_dead_letters_counted AFTER INSERT ON limbo_dead_letters
    REFERENCING NEW TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION limbo_count_dead_letters()
    """,
    """
    CREATE TRIGGER limbo_dead_letters_discounted AFTER DELETE ON limbo_dead_letters
    REFERENCING OLD TABLE AS changed_rows
    FOR EACH STATEMENT EXECUTE FUNCTION limbo_count_dead_letters()
    """,
    """
    CREATE TRIGGER limbo_dead_letters_emptied AFTER TRUNCATE ON limbo_dead_letters
    FOR EACH STATEMENT EXECUTE FUNCTION limbo_count_none()
    """,
    "INSERT INTO limbo_counts (kind, mails) SELECT '', count(*) FROM limbo_queue",
    """
    INSERT INTO limbo_counts (kind, mails)
    SELECT kind, count(*) FROM limbo_dead_letters GROUP BY kind
    """,
)
