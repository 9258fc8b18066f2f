"""How long a mail waits whose address no provider lets through, and when it is dead."""

import pytest

from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.domain.delivery.outcome import Dead, Deferred, Sent
from limbo.domain.delivery.verdict import Accepted, Failed, Fault
from tests.support.clock import Clock
from tests.support.mails import a_mail

REFUSED = Failed(Fault.IDENTITY, "Email address is not verified")
DAY = 24 * 3600.0
MAIL = a_mail()


class Says:
    """Answers each mail alike."""

    def __init__(self, name, verdict):
        self.name = name
        self.verdict = verdict

    def send(self, mail):  # noqa: ARG002 - the signature is the port's
        return self.verdict

    def check(self):
        """Nothing is known against it."""


def dispatcher(clock, *verdicts):
    return Dispatcher([Says(f"s{n}", verdict) for n, verdict in enumerate(verdicts)], now=clock.now)


@pytest.mark.parametrize("count", [1, 2])
def test_an_address_nobody_lets_through_waits_a_day_in_growing_pauses(count):
    clock = Clock(1000.0)
    made, evidence, delays = dispatcher(clock, *[REFUSED] * count), NO_EVIDENCE, []
    while isinstance(outcome := made.dispatch(MAIL, 0, evidence=evidence), Deferred):
        assert not outcome.touched
        assert not outcome.possible_duplicate
        assert outcome.evidence.refused_since == 1000.0
        assert outcome.evidence.log_likelihood == 0
        delays.append(outcome.delay)
        evidence = outcome.evidence
        clock.elapse(outcome.delay)
    assert isinstance(outcome, Dead)
    assert (outcome.cause.kind, outcome.cause.reason) == ("identity", REFUSED.reason)
    assert outcome.cause.sender.startswith("s")
    assert DAY <= clock.time - 1000 <= DAY + 3600
    assert 30 <= delays[0] <= 60
    assert all(1800 <= delay <= 3600 for delay in delays[15:])
    assert 25 < len(delays) < 60


def test_it_is_sent_once_somebody_has_verified_it():
    clock = Clock(0.0)
    sender = Says("a", REFUSED)
    made = Dispatcher([sender], now=clock.now)
    outcome = made.dispatch(MAIL, 0)
    sender.verdict = Accepted("1")
    clock.elapse(outcome.delay)
    assert isinstance(made.dispatch(MAIL, 0, evidence=outcome.evidence), Sent)


@pytest.mark.parametrize("fault", [Fault.OUTAGE, Fault.RATE, Fault.ACCOUNT])
def test_an_address_that_one_refuses_while_another_is_away_waits_as_usual(fault):
    clock = Clock(2 * DAY)
    made = dispatcher(clock, REFUSED, Failed(fault, "away"))
    outcome = made.dispatch(MAIL, 0, evidence=Evidence(refused_since=0.0))
    assert isinstance(outcome, Deferred), "not dead: the other has not been asked"
    assert outcome.delay <= 45
    assert not outcome.touched


def test_a_clock_that_is_set_back_starts_the_day_anew():
    clock = Clock(1000.0)
    made = dispatcher(clock, REFUSED)
    outcome = made.dispatch(MAIL, 0, evidence=Evidence(refused_since=5000.0))
    assert outcome.evidence.refused_since == 1000.0
    assert outcome.delay <= 60
