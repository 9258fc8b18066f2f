"""What every queue and its dead letters do: each adapter's test class inherits the contract."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Protocol

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.domain.delivery.verdict import (
    UNDECODABLE,
    Accepted,
    Attempt,
    Cause,
    Death,
    Failed,
    Fault,
)
from limbo.domain.mail.address import Address
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import Mail
from limbo.ports.dead_letters import DeadLetter, DeadLetterEntry, DeadLetters
from limbo.ports.queue import (
    Depth,
    Kept,
    Lease,
    MailQueue,
    QueueDepth,
    Readiness,
    Undecodable,
)
from tests.contracts.queue_machine import QueueMachine
from tests.support.leases import touched
from tests.support.mails import a_mail

BROKEN = '{"text": "' + "ä €, " * 100 + '", oops}'  # the reason names where: the body's far end
KEY = Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="401 Forbidden")
IDENTITY = Cause(kind=Fault.IDENTITY, sender="ses", reason="Email address is not verified")
REFUSED = Cause(kind=Fault.MAIL, sender="ses", reason="MessageRejected: virus")
ATTEMPTS = (
    Attempt(
        sender="ses",
        started_at=1_700_000_000.25,
        duration=0.125,
        verdict=Failed(Fault.RATE, "Throttling", 30.0),
    ),
    Attempt(sender="smtp", started_at=1_700_000_001.5, duration=2.0, verdict=Accepted("<1@x>")),
)


class Queue(MailQueue, QueueDepth, Readiness, Protocol):
    """What limbo is given as its queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """An empty queue of its own, and the means to test it.

    ``elapse`` lets that many seconds pass for the queue, ``plant`` puts a raw body into it, and
    ``now`` is its clock.
    """

    queue: Queue
    dead_letters: DeadLetters
    elapse: Callable[[float], None]
    plant: Callable[[str], None]
    now: Callable[[], float] = time.time
    close: Callable[[], None] = lambda: None


def take(queue: MailQueue, count: int) -> list[Lease]:
    """Receive exactly so many mails, in as many receives as the queue needs."""
    leases: list[Lease] = []
    while len(leases) < count:
        got = queue.receive(count - len(leases), 0)
        assert got, f"{len(leases)} of {count} mails came"
        leases += got
    return leases


def take_one(queue: MailQueue) -> Lease:
    return take(queue, 1)[0]


def entry_of(letter: DeadLetterEntry) -> DeadLetterEntry:
    """Return what a list shows of the letter."""
    return DeadLetterEntry(
        **{each.name: getattr(letter, each.name) for each in fields(DeadLetterEntry)}
    )


def ids(leases: list[Lease]) -> list[str]:
    """Return the sorted ids of the mails."""
    return sorted(lease.mail.id for lease in leases)


class QueueContract:
    """Tests of a MailQueue with its QueueDepth and its DeadLetters.

    An adapter's test class gives the fixture ``new_rig``, builds its queue with ``lease_seconds``,
    and says where it cannot do what others can.
    """

    lease_seconds: ClassVar[float] = 60.0
    """Whole seconds: SQS knows no others. Keep it short where ``elapse`` really sleeps."""
    knows_duplicates: ClassVar[bool] = True
    """False where a crash cannot be told from a retry (SQS)."""
    tells_deferred: ClassVar[bool] = True
    """False where a mail deferred counts as in flight."""
    purges_dead_letters: ClassVar[bool] = True
    """False where the queue itself deletes old dead letters (SQS)."""
    tells_age: ClassVar[bool] = True
    """False where the oldest mail's age is not to be had."""
    wakes_within: ClassVar[float] = 0.05
    """In the best of some attempts; a receive that does not wake takes seconds."""
    machine_settings: ClassVar[settings] = settings(
        max_examples=40, stateful_step_count=30, deadline=None
    )

    @pytest.fixture
    def new_rig(self) -> Callable[[], Rig]:
        raise NotImplementedError

    @pytest.fixture
    def rig(self, new_rig: Callable[[], Rig]) -> Iterator[Rig]:
        rig = new_rig()
        yield rig
        rig.close()

    @pytest.fixture
    def queue(self, rig: Rig) -> Queue:
        return rig.queue

    @pytest.fixture
    def dead_letters(self, rig: Rig) -> DeadLetters:
        return rig.dead_letters

    @pytest.fixture
    def elapse(self, rig: Rig) -> Callable[[float], None]:
        return rig.elapse

    @pytest.fixture
    def plant(self, rig: Rig) -> Callable[[str], None]:
        return rig.plant

    @pytest.fixture
    def lost(self, rig: Rig) -> tuple[Lease, Lease]:
        """A lease that ran out, and another's later lease of the same mail."""
        rig.queue.put([a_mail()])
        old = take_one(rig.queue)
        rig.elapse(self.lease_seconds * 1.2)
        return old, take_one(rig.queue)

    # put and receive

    @pytest.mark.parametrize(
        "mail",
        [
            a_mail(),
            a_mail(
                subject="Grüße 你好 🎉",
                message="a\r\n\tb\n" + "\N{SNOWMAN}" * 5000,
                from_=Address("a@example.org", 'Zoë "Z" Ünal, Dr.'),
            ),
            a_mail(
                to=(Address("a@example.com"), Address("b@example.com", "B")),
                cc=(Address("c@example.com"),),
                bcc=(Address("d@example.com", "D"), Address("e@example.com")),
            ),
            a_mail(
                version=Mail.fields.version + 1,
                extra={"made_up": "<p>ü</p>", "schedule": {"at": [1, None]}},
            ),
        ],
        ids=["plain", "unicode", "cc and bcc", "newer version"],
    )
    def test_a_mail_comes_out_as_it_went_in(self, queue, mail):
        assert queue.put([mail]) == [Kept()]
        lease = take_one(queue)
        assert lease.mail == mail
        assert (lease.touches, lease.possible_duplicate) == (0, False)

    def test_says_of_each_mail_whether_it_is_kept(self, queue):
        mails = [a_mail() for _ in range(25)]
        assert queue.put(mails) == [Kept()] * 25
        assert ids(take(queue, 25)) == sorted(mail.id for mail in mails)

    def test_does_nothing_when_given_nothing(self, queue, dead_letters):
        assert queue.put([]) == queue.ack([]) == queue.extend([]) == []
        assert dead_letters.redrive([]) == dead_letters.drop([]) == 0
        queue.put([a_mail()])
        assert queue.receive(0, 0) == []
        assert len(queue.receive(10, 0)) == 1

    def test_two_equal_mails_both_arrive(self, queue):
        first = a_mail()
        second = replace(first, id=mail_id(first.submitted_at))
        queue.put([first])
        queue.put([second])
        assert ids(take(queue, 2)) == sorted([first.id, second.id])

    def test_never_gives_more_than_asked_for(self, queue):
        queue.put([a_mail() for _ in range(25)])
        given = [len(queue.receive(limit, 0)) for limit in (1, 3, 12, 50)]
        assert given == [1, 3, 12, 9]

    def test_answers_after_the_wait_when_empty(self, queue):
        started = time.monotonic()
        assert queue.receive(10, 1) == []
        assert 0.9 <= time.monotonic() - started < 10

    def test_a_waiting_receive_wakes_when_a_mail_comes(self, queue):
        delays = []
        with ThreadPoolExecutor(1) as pool:
            for _ in range(5):  # the best of five says what the queue does, not the machine
                received = pool.submit(lambda: (queue.receive(1, 10), time.monotonic()))
                time.sleep(0.2)
                put_at = time.monotonic()
                queue.put([a_mail()])
                leases, received_at = received.result(timeout=15)
                assert len(leases) == 1
                delays.append(received_at - put_at)
        assert min(delays) <= self.wakes_within

    def test_never_gives_a_mail_to_two_threads(self, queue):
        queue.put([a_mail() for _ in range(60)])
        start = threading.Barrier(4)

        def receive_all() -> list[Lease]:
            start.wait()
            return list(itertools.chain.from_iterable(iter(lambda: queue.receive(4, 0), [])))

        with ThreadPoolExecutor(4) as pool:
            parts = [future.result() for future in [pool.submit(receive_all) for _ in range(4)]]
        received = ids(list(itertools.chain.from_iterable(parts)))
        assert len(received) == len(set(received)) == 60

    # leases

    def test_a_leased_mail_comes_again_only_when_its_lease_has_run_out(self, queue, elapse):
        queue.put([a_mail()])
        lease = take_one(queue)
        assert queue.receive(10, 0) == []
        elapse(self.lease_seconds * 0.5)
        assert queue.receive(10, 0) == []
        elapse(self.lease_seconds * 0.7)
        again = take_one(queue)
        assert again.mail == lease.mail
        assert again.possible_duplicate
        assert again.touches == 0

    def test_an_extended_lease_lasts_longer(self, queue, elapse):
        queue.put([a_mail() for _ in range(12)])
        leases = take(queue, 12)
        elapse(self.lease_seconds * 0.6)
        assert queue.extend(leases) == []
        elapse(self.lease_seconds * 0.6)
        assert queue.receive(50, 0) == []
        elapse(self.lease_seconds * 0.6)
        assert ids(take(queue, 12)) == ids(leases)

    def test_reports_the_lost_leases_it_cannot_extend(self, queue, lost):
        old, new = lost
        assert queue.extend([old, new]) == [old]
        assert queue.extend([new]) == []

    def test_an_acknowledged_mail_is_gone(self, queue, elapse):
        queue.put([a_mail() for _ in range(23)])
        assert queue.ack(take(queue, 23)) == []
        elapse(self.lease_seconds * 1.2)
        assert queue.receive(50, 0) == []

    def test_reports_the_lost_leases_it_cannot_acknowledge(self, queue, elapse, lost):
        old, new = lost
        assert queue.ack([old]) == [old]
        assert queue.receive(10, 0) == []
        assert queue.ack([old, new]) == [old]
        elapse(self.lease_seconds * 1.2)
        assert queue.receive(10, 0) == []

    # release

    def test_a_released_mail_is_due_at_once(self, queue):
        queue.put([a_mail()])
        lease = take_one(queue)
        queue.release(lease, 0)
        again = take_one(queue)
        assert again.mail == lease.mail
        if self.knows_duplicates:
            assert (again.touches, again.possible_duplicate) == (0, False)

    def test_a_deferred_mail_is_due_after_its_delay(self, queue, elapse):
        queue.put([a_mail()])
        queue.release(take_one(queue), self.lease_seconds * 2)
        elapse(self.lease_seconds * 1.5)
        assert queue.receive(10, 0) == []
        elapse(self.lease_seconds * 0.7)
        assert len(queue.receive(10, 0)) == 1

    @pytest.mark.parametrize("possible_duplicate", [False, True])
    def test_a_released_mail_keeps_what_its_lease_says(self, queue, possible_duplicate):
        queue.put([a_mail()])
        for touches in (1, 2):
            lease = touched(take_one(queue), possible_duplicate=possible_duplicate)
            assert lease.touches == touches
            queue.release(lease, 0)
        again = take_one(queue)
        assert again.touches == 2
        if self.knows_duplicates:
            assert again.possible_duplicate == possible_duplicate

    def test_a_released_mail_keeps_the_evidence_of_its_lease(self, queue):
        queue.put([a_mail()])
        lease = take_one(queue)
        assert lease.evidence == NO_EVIDENCE
        for evidence in (
            Evidence(log_likelihood=-3.25, refused_since=1_700_000_000.5),
            Evidence(log_likelihood=-9.5),
        ):
            queue.release(replace(lease, touches=2, evidence=evidence), 0)
            lease = take_one(queue)
            assert lease.evidence == evidence

    def test_a_redriven_mail_has_no_evidence_against_it(self, queue, dead_letters):
        queue.put([mail := a_mail()])
        queue.release(replace(take_one(queue), evidence=Evidence(log_likelihood=-5.0)), 0)
        queue.bury(take_one(queue), Death(cause=IDENTITY))
        assert dead_letters.redrive(dead_letters.select("identity")) == 1
        lease = take_one(queue)
        assert lease.mail == mail
        assert (lease.touches, lease.evidence) == (0, NO_EVIDENCE)

    def test_a_lost_lease_releases_nothing(self, queue, lost):
        old, new = lost
        queue.release(old, 0)
        assert queue.receive(10, 0) == []
        assert queue.ack([new]) == []

    # depth

    def test_counts_what_waits_and_what_is_leased(self, queue):
        assert self._counts(queue.depth()) == (0, 0, 0)
        queue.put([a_mail() for _ in range(6)])
        leases = take(queue, 3)
        queue.release(leases[0], self.lease_seconds)
        assert self._counts(queue.depth()) == ((3, 2, 1) if self.tells_deferred else (3, 3, 0))
        queue.ack(leases[1:])
        assert self._counts(queue.depth()) == ((3, 0, 1) if self.tells_deferred else (3, 1, 0))

    def test_counts_the_dead(self, queue):
        assert sum(queue.depth().dead.values()) == 0
        self._bury(queue, KEY, 3)
        assert sum(queue.depth().dead.values()) == 3

    def test_a_mail_whose_lease_ran_out_waits_again(self, queue, elapse):
        queue.put([a_mail(), a_mail()])
        lease = take_one(queue)
        queue.release(take_one(queue), self.lease_seconds)
        elapse(self.lease_seconds * 1.2)
        assert self._counts(queue.depth()) == (2, 0, 0)
        assert lease.mail.id in ids(take(queue, 2))

    def test_tells_the_age_of_the_oldest_mail(self, queue, rig, elapse):
        if not self.tells_age:
            assert queue.depth().oldest_age is None
            return
        assert queue.depth().oldest_age == 0
        queue.put([a_mail(at=rig.now() - 50), a_mail(at=rig.now() - 100), a_mail(at=rig.now())])
        elapse(self.lease_seconds)
        assert queue.depth().oldest_age == pytest.approx(100 + self.lease_seconds, abs=2)

    def test_the_age_of_a_redriven_mail_counts_from_its_redrive(
        self, queue, dead_letters, rig, elapse
    ):
        if not self.tells_age:
            return
        queue.put([a_mail(at=rig.now() - 5000), a_mail(at=rig.now() - 4000)])
        for lease in take(queue, 2):
            queue.bury(lease, Death(cause=KEY))
        dead_letters.redrive(dead_letters.select())
        elapse(3)
        assert queue.depth().oldest_age == pytest.approx(3, abs=2)
        queue.put([a_mail(at=rig.now() - 100)])
        assert queue.depth().oldest_age == pytest.approx(100, abs=2)

    def test_counts_what_leaves_the_queue_and_the_dead_letters(self, queue, dead_letters):
        self._bury(queue, KEY, 3)
        self._bury(queue, REFUSED, 2)
        first, second, *_ = dead_letters.select()
        assert dead_letters.redrive([first]) == 1
        assert dead_letters.drop([second]) == 1
        depth = queue.depth()
        assert self._counts(depth) == (1, 0, 0)
        assert sum(depth.dead.values()) == 3
        queue.ack(take(queue, 1))
        dead_letters.drop(dead_letters.select())
        depth = queue.depth()
        assert (self._counts(depth), sum(depth.dead.values())) == ((0, 0, 0), 0)

    @staticmethod
    def _counts(depth: Depth) -> tuple[int, int, int]:
        return depth.ready, depth.in_flight, depth.deferred

    def test_a_queue_that_takes_mails_says_so_and_keeps_nothing_of_the_question(self, queue):
        for _ in range(2):
            queue.check_put()
        assert queue.receive(10, 0) == []
        assert self._counts(queue.depth()) == (0, 0, 0)

    # dead letters

    def test_a_buried_mail_lies_in_the_dead_letters(self, queue, dead_letters, rig, elapse):
        queue.put(
            [a_mail(subject="Grüße 🎉", version=Mail.fields.version + 1, extra={"made_up": "<p>"})]
        )
        lease = touched(take_one(queue), possible_duplicate=True)
        queue.bury(lease, Death(cause=KEY, attempts=ATTEMPTS))
        [letter] = dead_letters.list(10)
        assert (letter.mail_id, letter.submitted_at) == (lease.mail.id, lease.mail.submitted_at)
        assert letter.cause == KEY
        assert tuple(letter.attempts) == ATTEMPTS
        assert letter.buried_at == pytest.approx(rig.now(), abs=10)
        assert letter.possible_duplicate
        assert dead_letters.show(letter.id).mail == lease.mail
        assert entry_of(dead_letters.show(letter.id)) == entry_of(letter)
        elapse(self.lease_seconds * 1.2)
        assert queue.receive(10, 0) == []
        assert self._counts(queue.depth()) == (0, 0, 0)

    def test_a_dead_letter_says_when_its_mail_is_no_possible_duplicate(self, queue, dead_letters):
        queue.put([a_mail()])
        queue.bury(take_one(queue), Death(cause=REFUSED))
        [letter] = dead_letters.list(10)
        assert not letter.possible_duplicate
        assert tuple(letter.attempts) == ()

    def test_a_lost_lease_buries_nothing(self, queue, dead_letters, lost):
        old, new = lost
        queue.bury(old, Death(cause=KEY))
        assert dead_letters.list(10) == []
        assert queue.receive(10, 0) == []
        assert queue.ack([new]) == []

    def test_lists_the_newest_first_in_pages(self, queue, dead_letters, elapse):
        buried = []
        for _ in range(5):
            buried += self._bury(queue, KEY)
            elapse(0.01)
        pages: list[DeadLetterEntry] = []
        while page := dead_letters.list(2, pages[-1].id if pages else None):
            assert len(page) <= 2
            pages += page
        assert [letter.mail_id for letter in pages] == buried[::-1]
        assert dead_letters.list(100) == pages

    def test_lists_them_all(self, queue, dead_letters):
        buried = self._bury(queue, KEY, 23)
        assert sorted(letter.mail_id for letter in dead_letters.list(100)) == sorted(buried)

    @pytest.mark.parametrize("id_", ["nothing", "0", "-1", "é", "x" * 300, ""])
    def test_shows_and_moves_nothing_for_an_unknown_id(self, queue, dead_letters, id_):
        self._bury(queue, KEY)
        assert dead_letters.show(id_) is None
        assert dead_letters.redrive([id_]) == 0
        assert dead_letters.drop([id_]) == 0
        assert len(dead_letters.list(10)) == 1

    def test_counts_by_cause_the_most_frequent_first(self, queue, dead_letters):
        assert dead_letters.causes(10) == []
        self._bury(queue, REFUSED)
        self._bury(queue, KEY, 3)
        assert dead_letters.causes(10) == [(KEY, 3), (REFUSED, 1)]
        assert dead_letters.causes(1) == [(KEY, 3)]

    @pytest.mark.parametrize("possible_duplicate", [False, True])
    def test_a_redriven_mail_has_no_touches_and_keeps_its_mark(
        self, queue, dead_letters, possible_duplicate
    ):
        queue.put([a_mail()])
        lease = touched(take_one(queue), possible_duplicate=possible_duplicate)
        for _ in range(2):  # the second time within the five minutes in which FIFO deduplicates
            queue.bury(lease, Death(cause=KEY))
            [entry] = dead_letters.list(10)
            letter = dead_letters.show(entry.id)
            assert letter.possible_duplicate == entry.possible_duplicate == possible_duplicate
            assert dead_letters.redrive([letter.id]) == 1
            assert dead_letters.list(10) == []
            lease = take_one(queue)
            assert lease.mail == letter.mail
            assert (lease.touches, lease.possible_duplicate) == (0, possible_duplicate)
        assert queue.ack([lease]) == []

    def test_finds_a_dead_letter_by_the_id_of_its_mail(self, queue, dead_letters):
        first, second, third = self._bury(queue, KEY, 3)
        letters = {letter.mail_id: letter for letter in dead_letters.list(10)}
        assert entry_of(dead_letters.show(second)) == entry_of(letters[second])
        assert dead_letters.redrive([first, letters[first].id, "nothing"]) == 1
        assert dead_letters.drop([second]) == 1
        assert dead_letters.list(10) == [letters[third]]
        assert take_one(queue).mail.id == first
        assert queue.receive(10, 0) == []

    def test_selects_the_ids_of_all_or_of_some_causes(self, queue, dead_letters):
        other = replace(REFUSED, reason="MessageRejected: too dull")
        assert dead_letters.select() == dead_letters.select(KEY.id) == []
        for cause, count in ((KEY, 2), (REFUSED, 3), (other, 11)):
            self._bury(queue, cause, count)
        causes = {letter.id: letter.cause for letter in dead_letters.list(100)}
        assert sorted(dead_letters.select()) == sorted(causes)
        for name in (KEY.id, KEY.kind, other.id, REFUSED.kind, replace(KEY, sender="ses").id, ""):
            wanted = sorted(id_ for id_, cause in causes.items() if cause.matches(name))
            assert sorted(dead_letters.select(name)) == wanted

    def test_lists_those_of_a_cause_or_kind_in_pages(self, queue, dead_letters, elapse):
        other = replace(REFUSED, reason="MessageRejected: too dull")
        for cause in (KEY, REFUSED, other, REFUSED, KEY, other):
            self._bury(queue, cause)
            elapse(0.01)
        letters = dead_letters.list(100)
        for name in (REFUSED.id, REFUSED.kind, KEY.kind, "nothing"):
            pages: list[DeadLetterEntry] = []
            while page := dead_letters.list(2, pages[-1].id if pages else None, name):
                pages += page
            assert pages == [letter for letter in letters if letter.cause.matches(name)]

    def test_tells_which_ids_are_done_with(self, queue, dead_letters):
        mail_ids = self._bury(queue, KEY, 13)
        told: list[str] = []
        assert dead_letters.redrive([*mail_ids[:12], "nothing"], told.extend) == 12
        assert sorted(told) == sorted(mail_ids[:12])
        [letter] = dead_letters.list(10)
        assert dead_letters.drop(["nothing", letter.id], told.extend) == 1
        assert told[12:] == [letter.id]

    def test_moves_and_counts_the_named_alone(self, queue, dead_letters):
        self._bury(queue, KEY, 25)
        letters = dead_letters.list(100)
        redriven, dropped, rest = letters[:12], letters[12:24], letters[24:]
        assert dead_letters.redrive([*(x.id for x in redriven), redriven[0].id, "nothing"]) == 12
        assert dead_letters.drop([*(x.id for x in dropped), dropped[0].id, redriven[0].id]) == 12
        assert ids(take(queue, 12)) == sorted(letter.mail_id for letter in redriven)
        assert queue.receive(10, 0) == []
        assert dead_letters.list(100) == rest

    def test_the_letters_from_and_to_an_address_are_found_in_any_case(self, queue, dead_letters):
        there = [{"to": "Bob@b.example"}, {"cc": "bob@B.example"}, {"from_": "BOB@b.example"}]
        mails = [a_mail(**fields) for fields in there]
        mails += [a_mail(bcc="bob@b.example"), a_mail(to="bob@b.example.org"), a_mail()]
        queue.put(mails)
        for lease in take(queue, len(mails)):
            queue.bury(lease, Death(cause=KEY))
        found = dead_letters.of_address("bOb@b.example")
        named = {letter.mail_id for letter in dead_letters.list(10) if letter.id in found.ids}
        assert named == {mail.id for mail in mails[:4]}
        assert (len(found.ids), found.unreadable) == (4, 0)

    def test_the_oldest_are_purged_first_and_no_more_than_are_asked_for(self, rig, elapse):
        queue, dead_letters = rig.queue, rig.dead_letters
        old = [self._bury(queue, KEY, 1)[0] for _ in range(3)]
        elapse(10)
        [new] = self._bury(queue, KEY, 1)
        before = rig.now() - 5
        purged = [dead_letters.purge(before=before, limit=2) for _ in range(3)]
        assert purged == ([2, 1, 0] if self.purges_dead_letters else [0, 0, 0])
        left = [new] if self.purges_dead_letters else [*old, new]
        assert sorted(letter.mail_id for letter in dead_letters.list(10)) == sorted(left)

    @staticmethod
    def _bury(queue: Queue, cause: Cause, count: int = 1) -> list[str]:
        queue.put([a_mail() for _ in range(count)])
        leases = take(queue, count)
        for lease in leases:
            queue.bury(lease, Death(cause=cause))
        return [lease.mail.id for lease in leases]

    # bodies that are no mail

    @pytest.mark.parametrize("body", [BROKEN, "{", "[]", '{"v": 1}', "x" * 10_000])
    def test_a_body_that_is_no_mail_comes_out_as_such(self, queue, plant, body):
        plant(body)
        queue.put([a_mail()])
        kinds = sorted(type(lease.mail).__name__ for lease in take(queue, 2))
        assert kinds == ["Mail", "Undecodable"]

    def test_a_body_that_is_no_mail_can_be_buried_and_redriven_whole(
        self, queue, dead_letters, plant
    ):
        plant(BROKEN)
        for _ in range(2):
            letter = self._bury_undecodable(queue, dead_letters)
            assert f"{BROKEN.index('oops')}" in letter.mail.reason
            assert dead_letters.redrive([letter.id]) == 1
            assert dead_letters.list(10) == []
        letter = self._bury_undecodable(queue, dead_letters)
        assert dead_letters.drop([letter.id]) == 1
        assert dead_letters.list(10) == queue.receive(10, 0) == []

    def test_a_body_that_is_no_mail_can_be_released_and_acknowledged(self, queue, plant):
        plant(BROKEN)
        queue.release(take_one(queue), 0)
        again = take_one(queue)
        assert isinstance(again.mail, Undecodable)
        assert queue.extend([again]) == queue.ack([again]) == []

    @staticmethod
    def _bury_undecodable(queue: Queue, dead_letters: DeadLetters) -> DeadLetter:
        lease = take_one(queue)
        assert isinstance(lease.mail, Undecodable)
        cause = Cause(kind=UNDECODABLE, reason=lease.mail.reason)
        queue.bury(lease, Death(cause=cause))
        [entry] = dead_letters.list(10)
        assert (entry.cause, entry.submitted_at) == (cause, None)
        letter = dead_letters.show(entry.id)
        assert isinstance(letter.mail, Undecodable)
        assert letter.mail.reason == lease.mail.reason
        assert entry_of(letter) == entry_of(entry)
        return letter

    # any order of calls

    def test_loses_and_invents_nothing_whatever_is_called(self, new_rig):
        run_state_machine_as_test(
            lambda: QueueMachine(new_rig(), self.lease_seconds), settings=self.machine_settings
        )
