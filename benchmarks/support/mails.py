"""Mails for the benchmarks, and databases filled with them."""

import itertools
import time
from collections.abc import Iterator, Sequence

from benchmarks.support.load import MAIL
from limbo.adapters.sql.database import Database
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import Mail, parse_mail
from limbo.ports.outbox import Submission
from limbo.ports.queue import Kept


def new_mails(count: int) -> list[Mail]:
    """Return ``count`` new mails."""
    now = time.time()
    return [parse_mail(MAIL, id=mail_id(now), submitted_at=now) for _ in range(count)]


def connect(url: str) -> Database:
    """Open a database by its URL."""
    connect = PostgresDatabase.connect if url.startswith("postgresql") else SqliteDatabase.connect
    return connect(url)


def fill(database: Database, count: int) -> None:
    """Submit ``count`` mails, into queue and ledger."""
    outbox = SqlOutbox(database)
    for batch in batches(new_mails(count), 500):
        results = outbox.submit([Submission(mail=mail, client="shop") for mail in batch])
        if results != [Kept()] * len(batch):
            raise RuntimeError("not kept")


def batches(mails: Sequence[Mail], size: int) -> Iterator[Sequence[Mail]]:
    """Yield the mails in batches."""
    for start in itertools.count(0, size):
        if start >= len(mails):
            return
        yield mails[start : start + size]
