"""What many threads write at once goes into few steps, and each gets its own answer."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from limbo.domain.delivery.lifecycle import Start, StartReply
from limbo.domain.errors import LedgerUnavailable
from limbo.entrypoints.worker.gathered_ledger import GatheredLedger
from limbo.ports.outbox import Submission
from tests.support.cut_off import CutLedger
from tests.support.mails import a_mail


@pytest.fixture
def ledger():
    return CutLedger()


def test_gathered_writes_are_answered_each_for_itself(ledger):
    gathered = GatheredLedger(ledger)
    mail = a_mail()
    ledger.reserve([Submission(mail=mail)])
    start = Start(mail_id=mail.id, sender="fake.a", started_at=time.time())
    assert [reply.possible_duplicate for reply in gathered.write([start])] == [False]
    assert [reply.possible_duplicate for reply in gathered.write([start, start])] == [False, False]


def test_a_gathered_ledger_starts_no_thread_before_its_first_write(ledger):
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "ledger"}

    before = threads()
    gathered = GatheredLedger(ledger)
    assert threads() == before
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(gathered.write, [[]] * 8)] == [[]] * 8
    assert len(threads() - before) == 1


class HeldLedger(CutLedger):
    """Holds the first write until many wait, and knows no way to write some mails."""

    def __init__(self) -> None:
        super().__init__()
        self.held = threading.Event()

    def write(self, events):
        self.held.wait(10)
        if any(event.mail_id == "bad" for event in events):
            raise ValueError("bad")
        return super().write(events)


def write_at_once(ledger: HeldLedger, ids: Sequence[str]) -> list[object]:
    """Return what each thread got, or what was raised to it."""
    gathered = GatheredLedger(ledger)

    def write(mail_id: str) -> object:
        try:
            return gathered.write([Start(mail_id=mail_id, sender="fake.a", started_at=1.0)])
        except (ValueError, LedgerUnavailable) as error:
            return error

    with ThreadPoolExecutor(len(ids)) as pool:
        answers = pool.map(write, ids)
        time.sleep(0.05)
        ledger.held.set()
        return [*answers]


def test_one_gathered_write_that_cannot_be_written_fails_alone():
    answers = write_at_once(HeldLedger(), ["a", "b", "bad", "c", "bad", "d"])
    good = [answer for answer in answers if answer == [StartReply()]]
    assert len(good) == 4
    bad = [answer for answer in answers if isinstance(answer, ValueError)]
    assert len({id(error) for error in bad}) == 2


def test_each_thread_of_a_gathered_write_gets_an_error_of_its_own():
    ledger = HeldLedger()
    ledger.down = True
    errors = write_at_once(ledger, ["a", "b", "c", "d"])
    assert [str(error) for error in errors] == ["cut off"] * 4
    assert len({id(error) for error in errors}) == 4


def test_a_gathered_write_that_fails_is_raised_where_it_was_asked_for(ledger):
    gathered = GatheredLedger(ledger)
    ledger.down = True
    with pytest.raises(LedgerUnavailable, match="cut off"):
        gathered.write([Start(mail_id="x", sender="fake.a", started_at=1.0)])
    ledger.down = False
    assert gathered.write([Start(mail_id="x", sender="fake.a", started_at=1.0)])
