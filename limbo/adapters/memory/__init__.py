"""Queue and ledger in this process's memory, for development and tests."""
