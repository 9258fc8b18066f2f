"""What a mail's entry remembers of its attempts."""

import pytest

from limbo.domain.delivery.entry import Entry
from limbo.domain.delivery.lifecycle import KEEP, End, Start, Status
from limbo.domain.delivery.verdict import Accepted, Attempt, Failed, Fault

OUTAGE = Failed(Fault.OUTAGE, "connection refused")


def start(at, sender="ses"):
    return Start(mail_id="m", sender=sender, started_at=at)


def end(*starts, status=Status.DEFERRED, verdict=OUTAGE, **more):
    attempts = [
        Attempt(sender="ses", started_at=at, duration=1.0, verdict=verdict) for at in starts
    ]
    return End(mail_id="m", status=status, at=20.0, attempts=attempts, **more)


@pytest.fixture
def entry():
    return Entry(status=Status.QUEUED, updated_at=0.0)


def test_an_attempt_without_an_outcome_makes_the_next_a_possible_duplicate(entry):
    assert entry.begin(start(1.0)).possible_duplicate is False
    assert not entry.marked
    assert entry.begin(start(2.0)).possible_duplicate is True
    assert (entry.possible_duplicate, entry.marked) == (True, True)


def test_an_attempt_with_an_outcome_makes_none(entry):
    entry.begin(start(1.0))
    entry.end(end(1.0))
    assert entry.unfinished == set()
    assert entry.begin(start(2.0)).possible_duplicate is False


def test_the_same_start_told_twice_is_one_attempt(entry):
    entry.begin(start(1.0))
    assert entry.begin(start(1.0)).possible_duplicate is False
    assert entry.unfinished == {("ses", 1.0)}


def test_two_senders_at_one_time_are_two_attempts(entry):
    entry.begin(start(1.0, "ses"))
    assert entry.begin(start(1.0, "mailgun")).possible_duplicate is True


def test_an_end_marks_a_mail_that_it_does_not_move(entry):
    entry.begin(start(1.0))
    entry.end(end(1.0, status=Status.SENT, verdict=Accepted("x")))
    entry.changed = False
    entry.end(end(possible_duplicate=True))
    assert (entry.status, entry.changed, entry.marked) == (Status.SENT, False, True)


def test_a_mark_that_was_there_before_is_no_news():
    entry = Entry(status=Status.QUEUED, updated_at=0.0, possible_duplicate=True)
    entry.end(end(possible_duplicate=True))
    assert not entry.marked


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        ([], Status.DEFERRED),
        ([1.0], Status.SENDING),
        ([2.0], Status.DEFERRED),
        ([1.0, 2.0], Status.DEFERRED),
    ],
)
def test_what_follows_is_said_by_the_attempt_begun_last_or_by_a_touch_without_any(
    entry, ended, status
):
    entry.begin(start(1.0))
    entry.begin(start(2.0))
    entry.end(end(*ended, next_at=50.0))
    assert entry.status is status
    assert entry.next_at == (50.0 if status is Status.DEFERRED else None)


def test_begun_last_is_what_was_heard_last_whatever_the_clocks_say(entry):
    entry.begin(start(2.0))
    entry.begin(start(1.0))
    entry.end(end(2.0))
    assert entry.status is Status.SENDING
    entry.end(end(1.0))
    assert entry.status is Status.DEFERRED


def test_a_clock_set_back_does_not_set_an_entry_back():
    entry = Entry(status=Status.SUBMITTING, updated_at=9.0)
    entry.move(KEEP, 3.0)
    assert (entry.status, entry.updated_at) == (Status.QUEUED, 9.0)
