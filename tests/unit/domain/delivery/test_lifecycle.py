"""A mail's life: what each event makes of each status, as one table."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbo.domain.delivery.entry import Entry
from limbo.domain.delivery.lifecycle import (
    CANCEL,
    ENDS,
    KEEP,
    PURGEABLE,
    REDRIVE,
    REFUSE,
    START,
    STOPS,
    End,
    Start,
    StartReply,
    Status,
    Stop,
    read_status,
)
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed, Fault
from tests.strategies import verdicts

MOVES = {"keep": KEEP, "refuse": REFUSE, "cancel": CANCEL, "redrive": REDRIVE}
OUTAGE = Failed(Fault.OUTAGE, "connection refused")
CAUSE = Cause(kind="outage", reason="connection refused")

# What a mail of the status above becomes by the event on the left; a dot where nothing changes.
# "end x" is the end of a touch that gives the status x, "accepted" one with an acceptance in it,
# "late" one whose attempts began before another that the ledger has heard of since.
TABLE = """
               submitting queued     sending    deferred   sent  dead       cancelled  refused
keep           queued     .          .          .          .     .          .          queued
refuse         refused    .          .          .          .     .          .          .
cancel         .          cancelled  .          cancelled  .     .          .          .
redrive        .          .          .          .          .     queued     .          .
start          sending    sending    sending    sending    .     sending    .          sending
end submitting submitting submitting submitting submitting .     .          .          .
end queued     queued     queued     queued     queued     .     .          .          .
end sending    sending    sending    sending    sending    .     .          .          .
end deferred   deferred   deferred   deferred   deferred   .     .          .          .
end sent       sent       sent       sent       sent       .     sent       sent       sent
end dead       dead       dead       dead       dead       .     .          .          .
end cancelled  cancelled  cancelled  cancelled  cancelled  .     .          .          .
end refused    refused    refused    refused    refused    .     .          .          .
accepted       sent       sent       sent       sent       .     sent       sent       sent
late           .          .          .          .          .     .          .          .
late accepted  sent       sent       sent       sent       .     sent       sent       sent
"""
REPLIES = {
    Status.SUBMITTING: StartReply(possible_duplicate=False),
    Status.QUEUED: StartReply(possible_duplicate=False),
    Status.SENDING: StartReply(possible_duplicate=False),
    Status.DEFERRED: StartReply(possible_duplicate=False),
    Status.SENT: StartReply(Stop.ALREADY_SENT),
    Status.DEAD: StartReply(possible_duplicate=False),
    Status.CANCELLED: StartReply(Stop.CANCELLED),
    Status.REFUSED: StartReply(possible_duplicate=True),
}


def rows():
    heading, *lines = TABLE.strip().splitlines()
    columns = [Status(name) for name in heading.split()]
    for line in lines:
        event, cells = line[:15].strip(), line[15:].split()
        for status, cell in zip(columns, cells, strict=True):
            yield event, status, None if cell == "." else Status(cell)


def attempt(started_at, verdict=OUTAGE):
    return Attempt(sender="ses", started_at=started_at, duration=0.5, verdict=verdict)


def happen(event, entry):
    """Let the event of that name in the table happen to the entry, at the time 9."""
    an_end = End(mail_id="m", status=Status.DEFERRED, at=9.0, next_at=39.0, cause=CAUSE)
    match event.split():
        case ["start"]:
            entry.begin(Start(mail_id="m", sender="ses", started_at=9.0))
        case ["end", status]:
            entry.end(replace(an_end, status=Status(status), attempts=[attempt(2.0)]))
        case ["accepted"]:
            entry.end(replace(an_end, attempts=[attempt(2.0, Accepted("x"))]))
        case ["late"]:
            entry.end(replace(an_end, attempts=[attempt(1.0)]))
        case ["late", "accepted"]:
            entry.end(replace(an_end, attempts=[attempt(1.0, Accepted("x"))]))
        case [move]:
            entry.move(MOVES[move], 9.0)


def an_entry(status):
    return Entry(status=status, updated_at=5.0, last_start=2.0, next_at=6.0, cause=CAUSE)


def test_the_table_has_every_event_for_every_status():
    ends = {f"end {status}" for status in Status}
    events = {*MOVES, "start", *ends, "accepted", "late", "late accepted"}
    cells = [(event, status) for event, status, _ in rows()]
    assert sorted(cells) == sorted((event, status) for event in events for status in Status)


@pytest.mark.parametrize(("event", "status", "then"), [*rows()])
def test_an_event_makes_of_a_status_what_the_table_says(event, status, then):
    entry, before = an_entry(status), an_entry(status)
    happen(event, entry)
    if then is None:
        assert entry == before
        return
    assert (entry.status, entry.changed, entry.updated_at) == (then, True, 9.0)
    says_more = event.startswith("end") and then is not Status.SENT
    assert (entry.next_at, entry.cause) == ((39.0, CAUSE) if says_more else (None, None))


@pytest.mark.parametrize("status", Status)
def test_a_start_is_answered_by_the_status(status):
    reply = an_entry(status).begin(Start(mail_id="m", sender="ses", started_at=9.0))
    assert reply == REPLIES[status]


def test_each_status_has_its_end_and_a_reason_where_nothing_may_start():
    assert {*STOPS} == {*Status} - {*START.from_}
    assert {*ENDS} == {*Status}


@pytest.mark.parametrize(
    ("status", "final", "purgeable"),
    [
        (Status.SUBMITTING, False, True),
        (Status.QUEUED, False, False),
        (Status.SENDING, False, False),
        (Status.DEFERRED, False, False),
        (Status.SENT, True, True),
        (Status.DEAD, True, True),
        (Status.CANCELLED, True, True),
        (Status.REFUSED, True, True),
    ],
)
def test_what_is_final_may_be_forgotten(status, final, purgeable):
    assert (status.is_final, status in PURGEABLE) == (final, purgeable)


@pytest.mark.parametrize("status", Status)
def test_a_status_is_read_by_its_name(status):
    assert read_status(status.value) is status


def test_a_status_of_a_newer_limbo_is_one_of_a_sent_mail():
    assert read_status("delivered") is Status.SENT


starts = st.builds(
    Start,
    mail_id=st.just("m"),
    sender=st.sampled_from(["a", "b"]),
    started_at=st.integers(1, 9).map(float),
)
ends = st.builds(
    End,
    mail_id=st.just("m"),
    status=st.sampled_from(
        [Status.SENDING, Status.DEFERRED, Status.SENT, Status.DEAD, Status.CANCELLED]
    ),
    at=st.integers(1, 9).map(float),
    attempts=st.lists(st.builds(attempt, st.integers(1, 9).map(float), verdicts), max_size=3),
    possible_duplicate=st.booleans(),
)


@given(st.lists(starts | ends | st.sampled_from([*MOVES.values()]), max_size=30))
def test_whatever_happens_what_was_sent_stays_sent_and_no_mark_is_lost(events):
    entry = Entry(status=Status.SUBMITTING, updated_at=0.0)
    for event in events:
        before = replace(entry)
        match event:
            case Start():
                stopped = entry.begin(event).stop is not None
                assert stopped is (before.status in (Status.SENT, Status.CANCELLED))
            case End():
                entry.end(event)
                if any(isinstance(a.verdict, Accepted) for a in event.attempts):
                    assert entry.status is Status.SENT
            case move:
                entry.move(move, 5.0)
        assert entry.updated_at >= before.updated_at
        assert entry.possible_duplicate >= before.possible_duplicate
        if before.status is Status.SENT:
            assert entry.status is Status.SENT
