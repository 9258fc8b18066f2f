"""The installation's own secrets in a table of its database, SQLite or PostgreSQL."""

import secrets

from limbo.adapters.sql.database import Database, database_errors_as
from limbo.domain.errors import SecretsUnavailable

_BYTES = 32
_FIND = "SELECT secret FROM limbo_secrets WHERE name = :name"
_MAKE = """
    INSERT INTO limbo_secrets (name, secret, created_at) VALUES (:name, :secret, :now)
    ON CONFLICT (name) DO NOTHING
"""


class SqlSecrets:
    """Secrets in a table. What is there never changes, whoever asks first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @database_errors_as(SecretsUnavailable)
    def secret(self, name: str) -> bytes:
        """Read the secret, or make it. If two processes make it at once, one wins."""
        while not (rows := self._database.execute(_FIND, {"name": name})):
            made = {"name": name, "secret": secrets.token_bytes(_BYTES)}
            self._database.execute(_MAKE, made)
        return bytes(rows[0][0])
