"""Queue, ledger and API keys in a database: SQLite or PostgreSQL."""
