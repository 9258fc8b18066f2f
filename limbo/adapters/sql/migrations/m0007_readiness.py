"""One row that is written to see whether a mail could be."""

COMPATIBLE_WITH = 4
SQLITE = ("CREATE TABLE limbo_readiness (id integer PRIMARY KEY, at double precision NOT NULL)",)
POSTGRESQL = (
    "CREATE TABLE limbo_readiness (id integer PRIMARY KEY, at double precision NOT NULL)",
)
