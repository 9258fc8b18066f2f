"""What an operator sees of a touch: a count, and a line that says what followed."""

import pytest

from limbo.domain.delivery.breaker import BreakerState
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.outcome import Dead, Deferred, Sent, Stopped
from limbo.domain.delivery.verdict import UNDECODABLE, Accepted, Attempt, Cause, Failed, Fault
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.entrypoints.worker.report import WorkerReport
from limbo.ports.queue import Lease, Undecodable
from tests.support.clock import Clock
from tests.support.mails import a_mail

OK = Attempt(sender="ses", started_at=1.0, duration=0.5, verdict=Accepted("x"))
DOWN = Attempt(sender="ses", started_at=1.0, duration=0.5, verdict=Failed(Fault.OUTAGE, "refused"))
KEY = Attempt(sender="ses", started_at=1.0, duration=0.5, verdict=Failed(Fault.ACCOUNT, "denied"))
CAUSE = Cause(kind="mail", sender="ses", reason="no such box")

TABLE = [
    (Sent(attempts=[OK]), "sent", ("info", "mail sent")),
    (Deferred(attempts=[DOWN], delay=30.0, touched=True), "deferred", ("info", "mail deferred")),
    (Dead(attempts=[DOWN], cause=CAUSE), "dead", ("error", "mail dead")),
    (Stopped(attempts=[], why=Stop.LEASE_LOST), "lease_lost", ("warning", "touch stopped")),
    (Stopped(attempts=[], why=Stop.ALREADY_SENT), "already_sent", ("warning", "touch stopped")),
    (Stopped(attempts=[], why=Stop.CANCELLED), "cancelled", ("info", "touch stopped")),
    (Stopped(attempts=[], why=Stop.NO_LEDGER), "no_ledger", ("warning", "touch stopped")),
    (Stopped(attempts=[], why=Stop.NEWER), "newer", ("warning", "mail of a newer limbo left")),
    (Stopped(attempts=[], why=Stop.SEALED), "sealed", ("error", "sealed mail left")),
]


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def report(metrics):
    return WorkerReport(metrics, Clock().now)


def settled(metrics):
    """Return the outcomes that were counted."""
    [family] = [m for m in metrics.registry.collect() if m.name == "limbo_mails_settled"]
    counted = [s for s in family.samples if s.name.endswith("_total") and s.value]
    return {sample.labels["outcome"]: sample.value for sample in counted}


@pytest.mark.parametrize(("outcome", "counted", "words"), TABLE)
def test_each_outcome_is_counted_and_logged(capsys, outcome, counted, words):
    for marked in (True, False):
        metrics = Metrics()
        lease = Lease(mail=a_mail(), receipt="r", possible_duplicate=marked)
        WorkerReport(metrics, Clock().now).touched(lease, outcome, {})
        assert settled(metrics) == {counted: 1.0}
        line = capsys.readouterr().out.strip().splitlines()[-1]
        assert all(word in line for word in (*words, lease.mail.id))
        assert ("possible_duplicate=True" in line) is (
            marked and counted not in {"newer", "sealed"}
        )


def test_a_mail_that_a_shutdown_left_alone_is_neither_counted_nor_logged(report, metrics, capsys):
    lease = Lease(mail=a_mail(), receipt="r")
    report.touched(lease, Stopped(attempts=[], why=Stop.SHUTDOWN), {})
    assert settled(metrics) == {}
    assert capsys.readouterr().out == ""


def test_a_body_that_is_no_mail_is_dead_and_no_possible_duplicate(report, metrics, capsys):
    lease = Lease(mail=Undecodable("poison", "not JSON"), receipt="r", possible_duplicate=True)
    cause = Cause(kind=UNDECODABLE, reason="not JSON")
    report.touched(lease, Dead(attempts=(), cause=cause), {})
    assert settled(metrics) == {"dead": 1.0}
    line = capsys.readouterr().out
    assert "poison" in line
    assert "possible_duplicate" not in line


@pytest.mark.parametrize(("attempt", "level"), [(DOWN, "warning"), (KEY, "error")])
def test_a_failure_is_an_error_where_only_an_operator_can_mend_it(report, capsys, attempt, level):
    outcome = Deferred(attempts=[attempt], delay=1.0, touched=True)
    report.touched(Lease(mail=a_mail(), receipt="r"), outcome, {})
    [line] = [line for line in capsys.readouterr().out.splitlines() if "provider failed" in line]
    assert level in line


def test_a_breaker_that_opens_is_logged_with_who_and_why(report, capsys):
    lease, outcome = Lease(mail=a_mail(), receipt="r"), Sent(attempts=[OK])
    answer = Failed(Fault.OUTAGE, "503 for ann@shop.example")
    report.touched(lease, outcome, {"ses": BreakerState.OPEN}, {"ses": answer})
    [line] = [line for line in capsys.readouterr().out.splitlines() if "breaker open" in line]
    assert all(word in line for word in ("sender=ses", "fault=outage", "503 for"))
    assert "ann@" not in line


def test_a_dead_mail_is_logged_with_the_id_of_its_cause(report, capsys):
    report.touched(Lease(mail=a_mail(), receipt="r"), Dead(attempts=[DOWN], cause=CAUSE), {})
    assert f"cause_id={CAUSE.id}" in capsys.readouterr().out


def test_how_long_a_provider_asked_to_wait_is_logged_as_it_was_said(report, capsys):
    verdict = Failed(Fault.RATE, "slow down", 315_360_000.0)
    attempt = Attempt(sender="ses", started_at=1.0, duration=0.5, verdict=verdict)
    outcome = Deferred(attempts=[attempt], delay=300.0, touched=False)
    report.touched(Lease(mail=a_mail(), receipt="r"), outcome, {})
    assert "retry_after=315360000" in capsys.readouterr().out


def test_a_breaker_is_logged_when_it_opens_and_when_it_closes(report, capsys):
    lease, outcome = Lease(mail=a_mail(), receipt="r"), Sent(attempts=[OK])
    states = (
        BreakerState.OPEN,
        BreakerState.OPEN,
        BreakerState.HALF_OPEN,
        BreakerState.CLOSED,
        BreakerState.CLOSED,
    )
    for state in states:
        report.touched(lease, outcome, {"ses": state})
    said = capsys.readouterr().out
    assert (said.count("breaker open"), said.count("breaker closed")) == (1, 1)
