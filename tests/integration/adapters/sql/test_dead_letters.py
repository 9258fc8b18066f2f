import contextlib
import time
import tracemalloc
from dataclasses import replace

from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from limbo.domain.delivery.lifecycle import End, StartReply, Status, Stop
from limbo.domain.delivery.verdict import Cause, Death
from tests.contracts.outbox import (
    plain,
)
from tests.contracts.queue import take
from tests.support.mails import a_mail
from tests.support.sql import begin

OUTAGE = Cause(kind="outage", sender="fake.a", reason="connection refused")

NEWER_ATTEMPT = b'[{"sender": "ses", "started_at": 1.5, "duration": 0.5, "fault": "quota"}]'


def test_a_dead_letter_whose_attempts_a_newer_limbo_wrote_is_listed(database, outbox, queue):
    outbox.submit([plain(), plain()])
    for lease in queue.receive(2, 0):
        queue.bury(lease, Death(cause=OUTAGE))
    database.execute("UPDATE limbo_dead_letters SET attempts = :body", {"body": NEWER_ATTEMPT})
    assert [letter.attempts for letter in queue.dead_letters.list(10)] == [(), ()]


def test_a_page_of_dead_letters_reads_no_mail(queue):
    queue.put([a_mail(message="x" * 100_000) for _ in range(50)])
    for lease in take(queue, 50):
        queue.bury(lease, Death(cause=OUTAGE))
    tracemalloc.start()
    page = queue.dead_letters.list(50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(page) == 50
    assert peak < 1_000_000


def test_causes_that_an_older_limbo_wrote_are_counted_and_found(database, queue):
    queue.put([a_mail() for _ in range(6)])
    leases = take(queue, 6)
    for number, lease in enumerate(leases):
        queue.bury(lease, Death(cause=replace(OUTAGE, reason=f"refused {'ab'[number % 2]}")))
    database.execute("UPDATE limbo_dead_letters SET cause_id = NULL")
    letters = queue.dead_letters
    [(cause, count), _] = letters.causes(10)
    assert count == 3
    assert letters.causes(1) == [(cause, 3)]
    database.execute("UPDATE limbo_dead_letters SET cause_id = NULL")
    wanted = [letter for letter in letters.list(10) if letter.cause == cause]
    assert letters.list(10, cause=cause.id) == wanted
    assert [*letters.select(cause.id)] == [letter.id for letter in wanted][::-1]


def test_a_redrive_queues_a_dead_mail_in_the_ledger_as_well(outbox, queue, ledger):
    dead, sent = plain(), plain()
    outbox.submit([dead, sent])
    for lease in queue.receive(2, 0):
        queue.bury(lease, Death(cause=OUTAGE))
    ledger.write(
        [
            End(mail_id=dead.mail.id, status=Status.DEAD, at=1.0, cause=OUTAGE),
            End(mail_id=sent.mail.id, status=Status.SENT, at=1.0),
        ]
    )
    letters = queue.dead_letters
    assert letters.redrive([letter.id for letter in letters.list(10)]) == 2
    record = ledger.ledger_reader.find(dead.mail.id, None)
    assert (record.status, record.cause) == (Status.QUEUED, None)
    assert begin(ledger, dead.mail) == StartReply(possible_duplicate=False)
    assert begin(ledger, sent.mail) == StartReply(Stop.ALREADY_SENT)


def test_a_page_does_not_need_the_letter_before_it(queue):
    queue.put([a_mail() for _ in range(6)])
    for lease in take(queue, 6):
        queue.bury(lease, Death(cause=OUTAGE))
        time.sleep(0.002)
    letters = queue.dead_letters.list(10)
    first = queue.dead_letters.list(3)
    queue.dead_letters.drop([letter.id for letter in first])
    assert queue.dead_letters.list(3, first[-1].id) == letters[3:]


def test_no_question_about_many_letters_reads_their_mails_in_sqlite(tmp_path):
    class Explaining(SqliteDatabase):
        def execute(self, sql, values=None, **options):
            rows = super().execute(f"EXPLAIN QUERY PLAN {sql}", values)
            plans.extend(detail for *_, detail in rows)
            return super().execute(sql, values, **options)

    plans: list[str] = []
    SqliteDatabase.connect(f"sqlite:///{tmp_path}/limbo.db").close()
    with contextlib.closing(Explaining(tmp_path / "limbo.db")) as database:
        letters = SqlQueue(database).dead_letters
        for ask in (letters.list, letters.causes):
            ask(10)
        letters.list(10, "after", "outage")
        letters.select("outage")
    tables = [plan for plan in plans if "limbo_dead_letters" in plan or " letter " in plan]
    assert len(tables) > 5
    assert not [plan for plan in tables if "COVERING INDEX" not in plan]
