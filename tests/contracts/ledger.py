"""What every ledger does: each adapter's test class inherits the contract."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from limbo.domain.delivery.lifecycle import End, Start, StartReply, Status, Stop
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed, Fault, Verdict
from limbo.domain.mail.address import Address
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger import Ledger
from limbo.ports.ledger_reader import Cancelled, LedgerReader, Query, Record, RecordedAttempt
from limbo.ports.outbox import (
    Idempotency,
    KeyConflict,
    Replayed,
    Reservations,
    Reserved,
    Submission,
)
from tests.contracts.ledger_machine import LedgerMachine
from tests.support.mails import a_mail

DAY = 86_400.0
OUTAGE = Failed(Fault.OUTAGE, "connection refused")
CAUSE = Cause(kind=Fault.MAIL, sender="ses", reason="MessageRejected: virus")
SENT = Accepted("provider-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRig:
    """An empty ledger of its own, and the means to test it."""

    ledger: Ledger
    ledger_reader: LedgerReader
    reservations: Reservations
    now: Callable[[], float]
    elapse: Callable[[float], None]
    close: Callable[[], None] = lambda: None

    def submit(self, client: str = "", key: str | None = None, **changes: object) -> Mail:
        """Enter a mail that the queue keeps."""
        submission = Submission(mail=a_mail(at=self.now(), **changes), client=client, key=key)
        assert self.reservations.reserve([submission]) == [Reserved(submission.mail.id)]
        self.reservations.conclude(kept=[submission], refused=[])
        return submission.mail

    def begin(self, mail: Mail, at: float | None = None, sender: str = "ses") -> StartReply:
        at = self.now() if at is None else at
        [begun] = self.ledger.write([Start(mail_id=mail.id, sender=sender, started_at=at)])
        assert begun is not None
        return begun

    def end(self, mail: Mail, status: Status, *attempts: Attempt, **more: object) -> None:
        event = End(mail_id=mail.id, status=status, at=self.now(), attempts=attempts)
        assert self.ledger.write([replace(event, **more)]) == [None]  # type: ignore[arg-type]

    def status(self, mail: Mail) -> Status:
        record = self.ledger_reader.find(mail.id, None)
        assert record is not None
        return record.status

    def bring_to(self, status: Status) -> Mail:
        """Return a mail of that status, which came to it as mails do."""
        mail = a_mail(at=self.now())
        submission = Submission(mail=mail)
        self.reservations.reserve([submission])
        refused = [submission] if status is Status.REFUSED else []
        kept = [] if refused or status is Status.SUBMITTING else [submission]
        self.reservations.conclude(kept=kept, refused=refused)
        match status:
            case Status.SENDING:
                self.begin(mail)
            case Status.DEFERRED | Status.DEAD | Status.SENT:
                self.begin(mail)
                verdict = SENT if status is Status.SENT else OUTAGE
                self.end(mail, status, attempt(self.now(), verdict))
            case Status.CANCELLED:
                self.ledger_reader.cancel(mail.id, None)
            case _:
                pass
        assert self.status(mail) is status
        return mail


def attempt(at: float, verdict: Verdict, sender: str = "ses") -> Attempt:
    return Attempt(sender=sender, started_at=at, duration=0.25, verdict=verdict)


def keyed(mail: Mail, key: str = "k", fingerprint: str = "f", client: str = "") -> Submission:
    return Submission(mail=mail, client=client, idempotency=Idempotency(key, fingerprint))


class LedgerContract:
    """Tests of a Ledger, its LedgerReader and its Reservations; give the fixture ``new_rig``."""

    machine_settings: ClassVar[settings] = settings(
        max_examples=40, stateful_step_count=30, deadline=None
    )

    @pytest.fixture
    def new_rig(self) -> Callable[[], LedgerRig]:
        raise NotImplementedError

    @pytest.fixture
    def rig(self, new_rig: Callable[[], LedgerRig]) -> Iterator[LedgerRig]:
        rig = new_rig()
        yield rig
        rig.close()

    # a mail's life

    def test_a_mail_that_is_not_known_may_go_and_leaves_no_trace(self, rig):
        mail = a_mail(at=rig.now())
        assert rig.begin(mail) == StartReply()
        rig.end(mail, Status.SENT, attempt(rig.now(), SENT))
        assert rig.begin(mail) == StartReply()
        assert rig.ledger_reader.find(mail.id, None) is None
        assert rig.ledger_reader.page(Query(client=None)) == []
        assert rig.ledger_reader.cancel(mail.id, None) is None
        assert rig.ledger.write([]) == []

    def test_tells_what_was_submitted(self, rig):
        mail = rig.submit(
            "shop",
            to=(Address("A.b@example.com", "A"), Address("c@example.com")),
            cc=(Address("d@example.com"),),
            bcc=(Address("e@example.com"),),
            subject="Grüße 🎉",
            message="ä\n" * 3000,
        )
        record = rig.ledger_reader.find(mail.id, "shop")
        assert record.mail == mail
        assert (record.id, record.client, record.subject) == (mail.id, "shop", "Grüße 🎉")
        assert record.from_ == "shop@example.org"
        (listed,) = rig.ledger_reader.page(Query(client="shop"))
        assert record.shown == listed.shown == mail.fields.shown(mail)
        assert [*record.to] == [
            "A.b@example.com",
            "c@example.com",
            "d@example.com",
            "e@example.com",
        ]
        assert (record.status, record.submitted_at) == (Status.QUEUED, mail.submitted_at)
        assert (record.next_at, record.cause, record.possible_duplicate) == (None, None, False)
        assert [*rig.ledger_reader.page(Query(client=None))] == [replace(record, mail=None)]

    def test_keeps_every_attempt_of_a_life(self, rig):
        mail, now = rig.submit(), rig.now()
        first = attempt(now, Failed(Fault.RATE, "Throttling", 30.0))
        second = attempt(now + 1.1, OUTAGE, "smtp")
        third = attempt(now + 40.7, SENT)
        assert rig.begin(mail, now) == StartReply(possible_duplicate=False)
        assert rig.status(mail) is Status.SENDING
        rig.end(mail, Status.SENDING, first)
        assert rig.begin(mail, now + 1.1, "smtp") == StartReply(possible_duplicate=False)
        rig.end(mail, Status.DEFERRED, second, next_at=now + 40)
        record = rig.ledger_reader.find(mail.id, None)
        assert (record.status, record.next_at) == (Status.DEFERRED, now + 40)
        assert rig.begin(mail, now + 40.7) == StartReply(possible_duplicate=False)
        [*_, last] = rig.ledger_reader.find(mail.id, None).attempts
        assert last == RecordedAttempt(sender="ses", started_at=now + 40.7, attempt=None)
        rig.end(mail, Status.SENT, third, at=now + 41)
        record = rig.ledger_reader.find(mail.id, None)
        assert (record.status, record.next_at, record.updated_at) == (Status.SENT, None, now + 41)
        assert [t.attempt for t in record.attempts] == [first, second, third]
        assert not record.possible_duplicate

    def test_a_dead_mail_has_its_cause(self, rig):
        mail = rig.submit()
        rig.begin(mail)
        dead = attempt(rig.now(), Failed(Fault.MAIL, "virus"))
        rig.end(mail, Status.DEAD, dead, cause=CAUSE, possible_duplicate=True)
        record = rig.ledger_reader.find(mail.id, None)
        assert (record.status, record.cause) == (Status.DEAD, CAUSE)
        assert record.possible_duplicate
        assert [*rig.ledger_reader.page(Query(client=None))] == [
            replace(record, mail=None, attempts=())
        ]

    def test_keeps_attempts_whose_start_it_never_heard_of(self, rig):
        mail = rig.submit()
        rig.end(mail, Status.SENT, attempt(rig.now(), SENT))
        assert rig.status(mail) is Status.SENT
        assert [t.attempt.verdict for t in rig.ledger_reader.find(mail.id, None).attempts] == [SENT]

    def test_answers_each_event_of_many_in_order(self, rig):
        mails = [rig.submit() for _ in range(3)]
        sent = attempt(rig.now(), SENT)
        start = Start(mail_id=mails[0].id, sender="ses", started_at=rig.now())
        end = End(mail_id=mails[0].id, status=Status.SENT, at=rig.now(), attempts=[sent])
        events = [
            replace(start, mail_id=mails[2].id),
            start,
            end,
            replace(end, mail_id=mails[1].id, status=Status.DEFERRED, attempts=[]),
            replace(start, sender="smtp"),
            replace(start, mail_id="unknown"),
        ]
        assert rig.ledger.write(events) == [
            StartReply(possible_duplicate=False),
            StartReply(possible_duplicate=False),
            None,
            None,
            StartReply(Stop.ALREADY_SENT),
            StartReply(),
        ]
        expected = [Status.SENT, Status.DEFERRED, Status.SENDING]
        assert [rig.status(mail) for mail in mails] == expected

    @pytest.mark.parametrize("status", [s for s in Status if s is not Status.SENT])
    def test_an_acceptance_is_never_forgotten(self, rig, status):
        mail = rig.bring_to(status)
        rig.elapse(1)
        rig.end(mail, Status.DEFERRED, attempt(rig.now(), SENT))
        assert rig.status(mail) is Status.SENT
        rig.elapse(1)
        before = rig.ledger_reader.find(mail.id, None)
        assert rig.begin(mail) == StartReply(Stop.ALREADY_SENT)
        rig.end(mail, Status.DEAD, cause=CAUSE)
        assert rig.ledger_reader.cancel(mail.id, None) is Status.SENT
        assert rig.ledger_reader.find(mail.id, None) == before

    @pytest.mark.parametrize("status", [s for s in Status if s.is_final])
    def test_a_final_mail_is_not_deferred(self, rig, status):
        mail = rig.bring_to(status)
        rig.end(mail, Status.DEFERRED, attempt(rig.now(), OUTAGE), next_at=rig.now() + 30)
        rig.end(mail, Status.DEAD if status is not Status.DEAD else Status.QUEUED)
        record = rig.ledger_reader.find(mail.id, None)
        assert (record.status, record.next_at) == (status, None)

    def test_who_started_before_another_does_not_say_what_follows(self, rig):
        mail, now = rig.submit(), rig.now()
        rig.begin(mail, now)
        assert rig.begin(mail, now + 61) == StartReply(possible_duplicate=True)
        rig.end(mail, Status.DEFERRED, attempt(now, OUTAGE), next_at=now + 90)
        record = rig.ledger_reader.find(mail.id, None)
        assert (record.status, record.next_at, record.cause) == (Status.SENDING, None, None)
        assert rig.ledger_reader.cancel(mail.id, None) is Status.SENDING
        rig.end(mail, Status.DEFERRED, attempt(now + 61, OUTAGE))
        assert rig.status(mail) is Status.DEFERRED

    @pytest.mark.parametrize("skew", [-60.0, 60.0])
    def test_who_began_last_is_whom_the_ledger_heard_last(self, rig, skew):
        mail, now = rig.submit(), rig.now()
        rig.begin(mail, now + skew)
        rig.end(mail, Status.DEFERRED, attempt(now + skew, OUTAGE), next_at=now + skew + 30)
        rig.begin(mail, now + 20)
        rig.end(mail, Status.DEAD, attempt(now + skew, OUTAGE), cause=CAUSE)
        assert rig.status(mail) is Status.SENDING
        rig.end(mail, Status.DEAD, attempt(now + 20, OUTAGE), cause=CAUSE)
        record = rig.ledger_reader.find(mail.id, None)
        assert (record.status, record.cause) == (Status.DEAD, CAUSE)

    def test_who_comes_late_does_not_say_what_follows_on_another_s_end(self, rig):
        mail, now = rig.submit(), rig.now()
        rig.begin(mail, now)
        rig.begin(mail, now + 61)
        rig.end(mail, Status.DEFERRED, attempt(now + 61, OUTAGE), next_at=now + 99)
        rig.end(mail, Status.DEAD, attempt(now, OUTAGE), cause=CAUSE)
        record = rig.ledger_reader.find(mail.id, None)
        assert (record.status, record.next_at) == (Status.DEFERRED, now + 99)

    @pytest.mark.parametrize("status", [Status.QUEUED, Status.DEFERRED, Status.SENDING])
    def test_a_touch_that_called_nobody_puts_a_mail_off(self, rig, status):
        """Whoever began may have died amid it."""
        mail = rig.bring_to(status)
        rig.end(mail, Status.DEFERRED, next_at=rig.now() + 77)
        record = rig.ledger_reader.find(mail.id, None)
        assert (record.status, record.next_at) == (Status.DEFERRED, rig.now() + 77)
        assert rig.begin(mail, rig.now() + 77).possible_duplicate is (status is Status.SENDING)

    # what may have been sent

    def test_an_attempt_without_an_outcome_makes_a_possible_duplicate(self, rig):
        mail, now = rig.submit(), rig.now()
        assert rig.begin(mail, now) == rig.begin(mail, now) == StartReply(possible_duplicate=False)
        assert rig.begin(mail, now + 60, "smtp") == StartReply(possible_duplicate=True)
        rig.end(mail, Status.DEFERRED, attempt(now + 60, OUTAGE, "smtp"))
        assert rig.ledger_reader.find(mail.id, None).possible_duplicate
        assert rig.begin(mail, now + 90) == StartReply(possible_duplicate=True)
        rig.end(mail, Status.DEFERRED, attempt(now + 90, OUTAGE), attempt(now, OUTAGE))
        assert rig.begin(mail, now + 120) == StartReply(possible_duplicate=True)
        assert rig.ledger_reader.find(mail.id, None).possible_duplicate

    def test_a_refused_mail_that_comes_anyway_may_be_a_duplicate(self, rig):
        mail = rig.bring_to(Status.REFUSED)
        assert rig.begin(mail) == StartReply(possible_duplicate=True)
        assert rig.status(mail) is Status.SENDING

    def test_the_first_outcome_of_an_attempt_stays(self, rig):
        mail, now = rig.submit(), rig.now()
        rig.end(mail, Status.DEFERRED, attempt(now, OUTAGE))
        rig.end(mail, Status.DEFERRED, attempt(now, Failed(Fault.RATE, "later")))
        assert [t.attempt.verdict for t in rig.ledger_reader.find(mail.id, None).attempts] == [
            OUTAGE
        ]

    # redrive and cancellation

    def test_a_redriven_mail_may_go_again(self, rig):
        mail = rig.bring_to(Status.DEAD)
        rig.elapse(1)
        assert rig.begin(mail) == StartReply(possible_duplicate=False)
        assert rig.status(mail) is Status.SENDING

    @pytest.mark.parametrize("status", Status)
    def test_cancels_what_nobody_has_begun(self, rig, status):
        mail = rig.bring_to(status)
        can = status in {Status.QUEUED, Status.DEFERRED, Status.CANCELLED}
        after = Status.CANCELLED if can else status
        assert rig.ledger_reader.cancel(mail.id, None) is after
        assert rig.status(mail) is after
        if can:
            rig.elapse(1)
            assert rig.begin(mail) == StartReply(Stop.CANCELLED)
            rig.end(mail, Status.CANCELLED)
            assert rig.status(mail) is Status.CANCELLED
            assert [t.attempt for t in rig.ledger_reader.find(mail.id, None).attempts].count(
                None
            ) == 0

    def test_mails_are_found_by_the_key_that_submitted_them(self, rig):
        def submit(client: str, key: str | None, to: str = "eve@example.com") -> str:
            rig.elapse(1)
            return rig.submit(client, key, to=(Address(to),)).id

        bob = "bob@example.com"
        old = [submit("shop", "old", bob), submit("shop", "old")]
        new, other = [submit("shop", "new", bob)], [submit("blog", "blogs")]
        nobodys = [submit("shop", None)]
        rig.ledger_reader.cancel(old[1], None)

        def ids(**conditions: object) -> list[str]:
            return self._ids(rig, replace(Query(client=None), **conditions))

        assert rig.ledger_reader.find(old[0], "shop").key == "old"
        assert rig.ledger_reader.find(nobodys[0], "shop").key is None
        assert [r.key for r in rig.ledger_reader.page(Query(client="shop"))] == [
            *(None, "new", "old", "old")
        ]
        assert ids(key="old") == ids(key="old", client="shop") == [old[1], old[0]]
        assert ids(key="old", limit=1) == ids(key="old", status=Status.CANCELLED) == [old[1]]
        assert ids(key="old", after=old[1]) == ids(key="old", to="Bob@example.com") == [old[0]]
        assert ids(key="old", to="bob@example.com", status=Status.CANCELLED) == []
        assert ids(key="old", since=rig.now()) == ids(key="old", client="blog") == []
        assert ids(key="new", client="shop", status=Status.QUEUED) == new
        assert ids(key="blogs") == other
        assert ids(key="nobody's") == ids(key="\0") == []

    @pytest.mark.parametrize("status", Status)
    def test_a_page_of_mails_is_cancelled_as_one_mail_is(self, rig, status):
        mail = rig.bring_to(status)
        can = status in {Status.QUEUED, Status.DEFERRED}
        cancelled = rig.ledger_reader.cancel_page(Query(client=None, status=status))
        assert cancelled == Cancelled(count=int(can), last=None)
        assert rig.status(mail) is (Status.CANCELLED if can else status)
        if can:
            assert rig.begin(mail) == StartReply(Stop.CANCELLED)
            record = rig.ledger_reader.find(mail.id, None)
            assert (record.next_at, record.cause) == (None, None)

    def test_only_what_a_query_selects_is_cancelled_a_page_at_a_time(self, rig):
        mails = [rig.submit("shop", ("a", "b")[number % 2]) for number in range(10)]
        begun = mails[4]
        rig.begin(begun)
        query = Query(client="shop", key="a", limit=2)
        counts = []
        while True:
            done = rig.ledger_reader.cancel_page(query)
            counts.append(done.count)
            if done.last is None:
                break
            query = replace(query, after=done.last)
        assert (sum(counts), max(counts), len(counts)) in ((4, 2, 3), (4, 2, 4))
        statuses = [rig.status(mail) for mail in mails]
        assert statuses[1::2] == [Status.QUEUED] * 5
        assert [s for m, s in zip(mails, statuses, strict=True) if m is begun] == [Status.SENDING]
        assert statuses.count(Status.CANCELLED) == 4

    def test_a_page_is_cancelled_or_begun_mail_by_mail(self, rig):
        mails = [rig.submit() for _ in range(40)]
        start = threading.Barrier(2)

        def begin() -> list[bool]:
            start.wait()
            return [rig.begin(mail).stop is None for mail in mails]

        def cancel() -> int:
            start.wait()
            pages = (Query(client=None, status=Status.QUEUED, limit=10) for _ in range(8))
            return sum(rig.ledger_reader.cancel_page(page).count for page in pages)

        with ThreadPoolExecutor(2) as pool:
            begun, count = pool.submit(begin), pool.submit(cancel)
            assert sum(begun.result()) + count.result() == 40

    def test_either_a_cancellation_or_a_start_wins(self, rig):
        mails = [rig.submit() for _ in range(30)]
        start = threading.Barrier(2)

        def cancel() -> list[bool]:
            start.wait()
            return [rig.ledger_reader.cancel(mail.id, None) is Status.CANCELLED for mail in mails]

        def begin() -> list[bool]:
            start.wait()
            return [rig.begin(mail).stop is None for mail in mails]

        with ThreadPoolExecutor(2) as pool:
            cancelled, begun = pool.submit(cancel), pool.submit(begin)
            pairs = [*zip(cancelled.result(), begun.result(), strict=True)]
        assert all(one != other for one, other in pairs)

    # clients and pages

    def test_a_client_has_its_own_mails_alone(self, rig):
        mine, other = rig.submit("shop"), rig.submit("blog")
        assert rig.ledger_reader.find(mine.id, "shop") == rig.ledger_reader.find(mine.id, None)
        assert rig.ledger_reader.find(other.id, "shop") is None
        assert rig.ledger_reader.cancel(other.id, "shop") is None
        assert rig.status(other) is Status.QUEUED
        assert self._ids(rig, Query(client="shop")) == [mine.id]
        assert self._ids(rig, Query(client="blog", to="a@example.com")) == [other.id]
        assert self._ids(rig, Query(client="none")) == []

    def test_pages_are_stable_while_mails_come(self, rig):
        newest_first: list[str] = []
        for _ in range(5):
            rig.elapse(0.01)
            newest_first.insert(0, rig.submit().id)
        assert self._ids(rig, Query(client=None, limit=2)) == newest_first[:2]
        rig.elapse(1)
        rig.submit()
        rest = [
            self._ids(rig, Query(client=client, limit=2, after=after))
            for client in (None, "")
            for after in (newest_first[1], newest_first[3], newest_first[4])
        ]
        assert rest == [newest_first[2:4], newest_first[4:], []] * 2

    def test_conditions_combine(self, rig):
        rows = [self._one_of_many(rig, number) for number in range(48)][::-1]
        for client, to, status, since, after in itertools.product(
            (None, "shop", "blog"),
            (None, "bob@example.com", "EVE@example.com", "nobody@example.com"),
            (None, Status.QUEUED, Status.CANCELLED, Status.SENT),
            (None, rows[24].submitted_at),
            (None, rows[24].id, rows[12].id),
        ):
            query = Query(client=client, to=to, status=status, since=since, after=after, limit=4)
            expected = [
                row.id
                for row in rows
                if client in (None, row.client)
                and (to is None or to.lower() == row.to[0].lower())
                and status in (None, row.status)
                and (since is None or row.submitted_at >= since)
                and (after is None or row.id < after)
            ]
            assert self._ids(rig, query) == expected[:4]

    def test_everybody_who_gets_a_mail_finds_it(self, rig):
        mail = rig.submit(cc=(Address("c@example.com"),), bcc=(Address("B@example.com"),))
        for to in ("a@example.com", "A@EXAMPLE.COM", "c@example.com", "b@example.com"):
            assert self._ids(rig, Query(client=None, to=to)) == [mail.id]

    @pytest.mark.parametrize("text", ["", "\0", "ü" * 1000, "' OR 1=1", "%", "zzz"])
    def test_nothing_is_found_by_what_is_no_id_or_address(self, rig, text):
        rig.submit()
        assert rig.ledger_reader.find(text, None) is None
        assert rig.ledger_reader.cancel(text, None) is None
        assert rig.ledger_reader.page(Query(client=None, to=text)) == []

    @pytest.mark.parametrize(("since", "count"), [(-1e300, 1), (0, 1), (1e300, 0)])
    def test_any_time_is_a_time_since(self, rig, since, count):
        rig.submit()
        assert len(rig.ledger_reader.page(Query(client=None, since=since))) == count

    # reservations and keys

    def test_a_reserved_mail_is_being_submitted(self, rig):
        submission = Submission(mail=a_mail(at=rig.now()))
        assert rig.reservations.reserve([submission]) == [Reserved(submission.mail.id)]
        assert rig.status(submission.mail) is Status.SUBMITTING
        rig.reservations.conclude(kept=[], refused=[submission])
        assert rig.status(submission.mail) is Status.REFUSED
        rig.reservations.conclude(kept=[submission], refused=[])
        assert rig.status(submission.mail) is Status.QUEUED
        assert rig.reservations.reserve([]) == []
        rig.reservations.conclude(kept=[], refused=[])

    @pytest.mark.parametrize("status", [Status.SENDING, Status.SENT, Status.DEAD])
    def test_what_the_queue_said_does_not_undo_what_a_worker_did(self, rig, status):
        mail = rig.bring_to(status)
        rig.reservations.conclude(kept=[Submission(mail=mail)], refused=[])
        rig.reservations.conclude(kept=[], refused=[Submission(mail=mail)])
        assert rig.status(mail) is status

    def test_a_key_stands_for_one_mail_of_one_client_for_a_day(self, rig):
        reserve = rig.reservations.reserve
        first = keyed(a_mail(at=rig.now()))
        again, changed = keyed(a_mail(at=rig.now())), keyed(a_mail(at=rig.now()), fingerprint="g")
        other = keyed(a_mail(at=rig.now()), client="shop")
        assert reserve([first, other]) == [Reserved(first.mail.id), Reserved(other.mail.id)]
        assert reserve([again]) == [KeyConflict.UNDER_WAY]
        rig.reservations.conclude(kept=[first], refused=[])
        assert reserve([again]) == [Replayed(first.mail.id)]
        assert reserve([changed]) == [KeyConflict.REUSED]
        assert rig.ledger_reader.find(again.mail.id, None) is None
        rig.elapse(DAY - 10)
        assert reserve([again]) == [Replayed(first.mail.id)]
        rig.elapse(20)
        assert reserve([again]) == [Reserved(again.mail.id)]

    def test_a_refused_mail_gives_its_key_free(self, rig):
        first, second = keyed(a_mail(at=rig.now())), keyed(a_mail(at=rig.now()), fingerprint="g")
        rig.reservations.reserve([first])
        rig.reservations.conclude(kept=[], refused=[first])
        assert rig.reservations.reserve([second]) == [Reserved(second.mail.id)]

    def test_a_retry_takes_over_what_was_never_concluded(self, rig):
        reserve = rig.reservations.reserve
        first, retry = keyed(a_mail(at=rig.now())), keyed(a_mail(at=rig.now()))
        reserve([first])
        rig.elapse(59)
        assert reserve([retry]) == [KeyConflict.UNDER_WAY]
        rig.elapse(2)
        assert reserve([keyed(a_mail(at=rig.now()), fingerprint="g")]) == [KeyConflict.REUSED]
        assert reserve([retry]) == [Reserved(first.mail.id)]
        assert reserve([retry]) == [KeyConflict.UNDER_WAY]
        rig.reservations.conclude(kept=[first], refused=[])
        # Whoever was thought dead comes late: the key stays the mail's that was kept.
        rig.reservations.conclude(kept=[], refused=[first])
        assert reserve([retry]) == [Replayed(first.mail.id)]

    def test_one_of_many_with_the_same_keys_gets_them(self, rig):
        start = threading.Barrier(8)

        def reserve(number: int) -> int:
            submissions = [keyed(a_mail(at=rig.now()), f"k{n}") for n in range(10)]
            start.wait()
            answers = rig.reservations.reserve(submissions[:: 1 if number % 2 else -1])
            return sum(isinstance(answer, Reserved) for answer in answers)

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(reserve, range(8))) == 10
        assert len(rig.ledger_reader.page(Query(client=None))) == 10

    # what waiting requests ask for

    def test_tells_the_statuses_of_many_mails_of_all_clients(self, rig):
        mails = [rig.submit("shop"), rig.submit("blog"), rig.bring_to(Status.SENT)]
        statuses = rig.ledger_reader.statuses([*(mail.id for mail in mails), "none", "no id"])
        wanted = (Status.QUEUED, Status.QUEUED, Status.SENT)
        assert statuses == {mail.id: each for mail, each in zip(mails, wanted, strict=True)}
        assert rig.ledger_reader.statuses([]) == {}

    # purging

    def test_forgets_first_the_content_and_then_the_rest(self, rig):
        mail = rig.bring_to(Status.SENT)
        rig.elapse(8 * DAY)
        fresh = rig.bring_to(Status.SENT)
        assert self._purge(rig, 7, 90) == 1
        assert self._purge(rig, 7, 90) == 0
        record = rig.ledger_reader.find(mail.id, None)
        assert record.mail is None
        assert (record.subject, [*record.to]) == ("Hello", ["a@example.com"])
        assert record.shown == mail.fields.shown(mail)
        assert len(record.attempts) == 1
        assert rig.ledger_reader.find(fresh.id, None).mail == fresh
        rig.elapse(83 * DAY)
        assert self._purge(rig, 7, 90) == 2
        assert rig.ledger_reader.find(mail.id, None) is None
        assert self._ids(rig, Query(client=None, to="a@example.com")) == [fresh.id]
        assert self._ids(rig, Query(client=None)) == [fresh.id]
        assert rig.begin(mail) == StartReply()

    def test_forgets_only_what_is_final(self, rig):
        mails = {status: rig.bring_to(status) for status in Status}
        rig.elapse(100 * DAY)
        self._purge(rig, 7, 90)
        left = {status for status, mail in mails.items() if rig.ledger_reader.find(mail.id, None)}
        assert left == {Status.QUEUED, Status.SENDING, Status.DEFERRED}
        assert all(rig.ledger_reader.find(mails[status].id, None).mail for status in left)

    def test_forgets_a_little_at_a_time(self, rig):
        for _ in range(5):
            rig.bring_to(Status.SENT)
        rig.elapse(100 * DAY)
        steps = [self._purge(rig, 7, 90, limit=4) for _ in range(4)]
        assert steps == [4, 4, 2, 0]
        assert rig.ledger_reader.page(Query(client=None)) == []

    def test_forgets_keys_after_a_day(self, rig):
        submissions = [keyed(a_mail(at=rig.now()), f"k{n}") for n in range(3)]
        rig.reservations.reserve(submissions)
        rig.reservations.conclude(kept=submissions, refused=[])
        rig.elapse(DAY + 1)
        assert [self._purge(rig, 7, 90, limit=2) for _ in range(3)] == [2, 1, 0]
        assert all(rig.ledger_reader.find(s.mail.id, None).mail for s in submissions)

    @staticmethod
    def _one_of_many(rig: LedgerRig, number: int) -> Record:
        """Submit a mail that differs from those of the numbers around it."""
        rig.elapse(1)
        to = ("bob@example.com", "Eve@example.com")[number // 2 % 2]
        addresses = (Address(to), Address(f"n{number}@example.com"))
        mail = rig.submit(("shop", "blog")[number % 2], to=addresses)
        if number // 4 % 2:
            rig.ledger_reader.cancel(mail.id, None)
        record = rig.ledger_reader.find(mail.id, None)
        assert record is not None
        return record

    @staticmethod
    def _purge(rig: LedgerRig, body_days: float, record_days: float, limit: int = 100) -> int:
        return rig.ledger.purge(
            bodies_before=rig.now() - body_days * DAY,
            records_before=rig.now() - record_days * DAY,
            limit=limit,
        )

    @staticmethod
    def _ids(rig: LedgerRig, query: Query) -> list[str]:
        return [record.id for record in rig.ledger_reader.page(query)]

    def test_does_what_a_simple_model_does(self, new_rig):
        run_state_machine_as_test(lambda: LedgerMachine(new_rig()), settings=self.machine_settings)
