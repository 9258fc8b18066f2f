"""Which older processes may go on using the tables."""

# Without a value, a version's tables can be used by processes of that version alone.
COMPATIBLE_WITH = 4
SQLITE = ("ALTER TABLE limbo_schema ADD COLUMN compatible_with integer",)
POSTGRESQL = ("ALTER TABLE limbo_schema ADD COLUMN compatible_with integer",)
