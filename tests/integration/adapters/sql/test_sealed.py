"""Encrypted mails in both databases: what is readable in them, and what a worker does with them."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from limbo.adapters.encoding.mail_codec import PLAIN
from limbo.adapters.providers.fake.sender import FakeSender
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.delivery.verdict import Cause, Death
from limbo.ports.outbox import Submission
from tests.contracts.queue import take
from tests.support.body_keys import a_codec
from tests.support.mails import a_mail
from tests.support.sql import open_database
from tests.support.working import until, working

K1, K2 = a_codec("k1"), a_codec("k2")
DEATH = Death(cause=Cause(kind="mail", sender="ses", reason="refused"))
WORD = "Xylophon"


def submitted(database, codec=K1):
    """Return a mail in queue and ledger, and a buried one."""
    mails = [a_mail(subject=f"{WORD} {n}", message=f"{WORD} {n}") for n in range(2)]
    SqlOutbox(database, codec=codec).submit([Submission(mail=mail) for mail in mails])
    queue = SqlQueue(database, codec=codec)
    buried, left = take(queue, 2)
    queue.bury(buried, DEATH)
    queue.release(left, 0)
    return left.mail, buried.mail


def test_neither_subject_nor_body_stands_anywhere_in_the_file(tmp_path):
    for codec, readable in ((PLAIN, True), (K1, False)):
        path = tmp_path / f"{readable}.db"
        with contextlib.closing(open_database(f"sqlite:///{path}")) as database:
            submitted(database, codec)
            stored = b"".join(each.read_bytes() for each in Path(tmp_path).glob(f"{readable}.db*"))
        assert (WORD.encode() in stored) is readable


def test_all_that_reads_with_the_key_sees_the_mail(database):
    mail, dead = submitted(database)
    reader = SqlLedger(database, codec=K1).ledger_reader
    queue = SqlQueue(database, codec=K1)
    assert reader.find(mail.id, None).mail == mail
    assert reader.find(mail.id, None).subject == ""
    assert queue.dead_letters.show(dead.id).mail == dead
    assert queue.dead_letters.redrive([dead.id]) == 1
    assert {lease.mail.id for lease in take(queue, 2)} == {mail.id, dead.id}


@pytest.mark.parametrize("codec", [PLAIN, K2], ids=["no key", "another key"])
def test_without_the_key_a_mail_is_left_counted_and_sent_once_the_key_is_back(
    database, codec, capsys
):
    mail, dead = submitted(database)
    letter = SqlQueue(database, codec=codec).dead_letters.show(dead.id)
    assert (letter.mail.id, letter.mail.is_sealed) == (dead.id, True)
    assert SqlLedger(database, codec=codec).ledger_reader.find(mail.id, None).mail is None
    ledger, sender = SqlLedger(database), FakeSender("fake")
    with working(SqlQueue(database, codec=codec), [sender], ledger=ledger) as worker:
        until(lambda: worker.count("limbo_mails_settled_total", outcome="sealed") == 1)
    assert "sealed mail left" in capsys.readouterr().out
    assert ledger.ledger_reader.find(mail.id, None).status is Status.QUEUED
    assert SqlQueue(database).depth().deferred == 1
    database.execute("UPDATE limbo_queue SET due = 0")
    with working(SqlQueue(database, codec=a_codec("k2", "k1")), [sender], ledger=ledger):
        until(lambda: ledger.ledger_reader.find(mail.id, None).status is Status.SENT)


@pytest.mark.parametrize("codec", [PLAIN, K1], ids=["plain", "sealed"])
def test_a_body_in_another_s_row_is_not_shown(tmp_path, codec):
    path = tmp_path / "limbo.db"
    with contextlib.closing(open_database(f"sqlite:///{path}")) as database:
        mail, dead = submitted(database, codec)
        with contextlib.closing(sqlite3.connect(path)) as thief, thief:
            thief.execute(
                "UPDATE limbo_contents SET body ="
                " (SELECT body FROM limbo_contents WHERE id = ?) WHERE id = ?",
                (dead.id, mail.id),
            )
        reader = SqlLedger(database, codec=codec).ledger_reader
        assert reader.find(mail.id, None).mail is None
        assert reader.find(dead.id, None).mail == dead
