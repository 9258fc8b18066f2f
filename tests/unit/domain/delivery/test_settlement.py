"""What follows from a touch, as one table, and what of it ledger and queue are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbo.domain.delivery.lifecycle import End, Status, Stop
from limbo.domain.delivery.outcome import Dead, Deferred, Sent, Stopped
from limbo.domain.delivery.settlement import Ack, Bury, Defer, settlement_of, what_follows
from limbo.domain.delivery.verdict import (
    UNDECODABLE,
    Accepted,
    Attempt,
    Cause,
    Death,
    Failed,
    Fault,
)

CAUSE = Cause(kind="outage", sender="b", reason="refused")
OUTAGE = Failed(Fault.OUTAGE, "refused")


def attempt(sender, verdict=OUTAGE):
    return Attempt(sender=sender, started_at=1.0, duration=0.5, verdict=verdict)


FIRST, SECOND = attempt("a"), attempt("b")
ACCEPTED = attempt("b", Accepted("x"))
BOTH = (FIRST, SECOND)

SENT = Sent(attempts=(FIRST, ACCEPTED))
DEFERRED = Deferred(attempts=BOTH, delay=30.0, touched=True)
DEAD = Dead(attempts=BOTH, cause=CAUSE)

TABLE = [
    (SENT, Ack(), Status.SENT),
    (DEFERRED, Defer(30.0), Status.DEFERRED),
    (DEAD, Bury(Death(cause=CAUSE, attempts=BOTH)), Status.DEAD),
    (Stopped(attempts=BOTH, why=Stop.LEASE_LOST), None, Status.SENDING),
    (Stopped(attempts=BOTH, why=Stop.ALREADY_SENT), Ack(), Status.SENDING),
    (Stopped(attempts=BOTH, why=Stop.CANCELLED), Ack(), Status.CANCELLED),
    (Stopped(attempts=BOTH, why=Stop.NO_LEDGER), Defer(10.0), Status.DEFERRED),
    (Stopped(attempts=BOTH, why=Stop.NEWER), Defer(30.0), Status.DEFERRED),
    (Stopped(attempts=BOTH, why=Stop.SEALED), Defer(30.0), Status.DEFERRED),
    (Stopped(attempts=BOTH, why=Stop.SHUTDOWN), Defer(0.0), Status.DEFERRED),
]
OUTCOMES = [outcome for outcome, _, _ in TABLE]


def settle(outcome, *, told=0, mail_id="m", touches=1, possible_duplicate=False):
    return settlement_of(
        outcome,
        mail_id=mail_id,
        touches=touches,
        possible_duplicate=possible_duplicate,
        told=told,
        now=100.0,
    )


def test_the_table_has_a_row_for_every_stop():
    assert [o.why for o in OUTCOMES if isinstance(o, Stopped)] == [*Stop]


@pytest.mark.parametrize(("outcome", "action", "status"), TABLE)
def test_an_outcome_has_one_action_and_one_status(outcome, action, status):
    assert what_follows(outcome) == (action, status)
    settlement = settle(outcome)
    assert settlement.action == action
    assert settlement.end == End(
        mail_id="m",
        status=status,
        at=100.0,
        attempts=outcome.attempts,
        cause=CAUSE if outcome is DEAD else None,
        next_at=100.0 + action.delay if isinstance(action, Defer) else None,
    )


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_ledger_hears_of_each_attempt_once(outcome):
    assert settle(outcome, told=1).end.attempts == outcome.attempts[1:]


@pytest.mark.parametrize("why", Stop)
def test_a_stop_without_news_is_none_for_the_ledger(why):
    assert settle(Stopped(attempts=(), why=why)).end is None
    assert settle(Stopped(attempts=BOTH, why=why), told=2).end is None


def test_a_touch_that_called_nobody_is_news_for_the_ledger():
    end = settle(Deferred(attempts=(), delay=5.0, touched=False)).end
    assert (end.status, end.attempts, end.next_at) == (Status.DEFERRED, (), 105.0)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_no_ledger_hears_of_a_body_that_is_no_mail(outcome):
    assert settle(outcome, mail_id=None).end is None


def test_a_body_that_is_no_mail_is_buried():
    cause = Cause(kind=UNDECODABLE, reason="not JSON")
    settlement = settle(Dead(attempts=(), cause=cause), mail_id=None)
    assert settlement.action == Bury(Death(cause=cause))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_only_a_touch_that_counts_is_counted(outcome):
    assert settle(outcome, touches=1).touches == (2 if outcome is DEFERRED else 1)
    untouched = Deferred(attempts=(FIRST,), delay=30.0, touched=False)
    assert settle(untouched, touches=1).touches == 1


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("before", [True, False])
def test_what_may_have_been_sent_before_stays_marked(outcome, before):
    settlement = settle(outcome, possible_duplicate=before)
    assert settlement.possible_duplicate is before
    assert settlement.end.possible_duplicate is before


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    "outcome",
    [
        Deferred(attempts=BOTH, delay=30.0, touched=True, possible_duplicate=True),
        Dead(attempts=BOTH, cause=CAUSE, possible_duplicate=True),
    ],
)
def test_what_may_have_been_sent_now_is_marked(outcome, before):
    settlement = settle(outcome, possible_duplicate=before)
    assert settlement.possible_duplicate is True
    assert settlement.end.possible_duplicate is True


@given(st.sampled_from(OUTCOMES), st.integers(0, 2), st.integers(0, 9), st.booleans())
def test_ledger_and_queue_are_never_told_different_things(outcome, told, touches, duplicate):
    settlement = settle(outcome, told=told, touches=touches, possible_duplicate=duplicate)
    assert settlement.touches in (touches, touches + 1)
    end = settlement.end
    if end is None:
        assert isinstance(outcome, Stopped)
        assert told == 2
        return
    assert end.possible_duplicate is settlement.possible_duplicate
    assert (end.next_at is not None) is isinstance(settlement.action, Defer)
    assert (end.status is Status.DEAD) is isinstance(settlement.action, Bury)
    assert (*outcome.attempts[:told], *end.attempts) == outcome.attempts
