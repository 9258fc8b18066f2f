"""The breaker of one provider, figure by figure, and as a machine."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from limbo.domain.delivery.breaker import Admission, Breaker, BreakerPolicy, BreakerState
from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict
from tests.strategies import verdicts

OK = Accepted("id")
FAULTS = {fault: Failed(fault, "why") for fault in Fault}
OUTAGE = FAULTS[Fault.OUTAGE]


def call(breaker: Breaker, verdict: Verdict, now: float) -> Admission | None:
    """Make one call, if the breaker lets it through."""
    if admission := breaker.admit(now):
        breaker.record(admission, verdict, now)
    return admission


def opened(now: float = 0.0) -> Breaker:
    """Return a breaker that ten outages have just opened."""
    breaker = Breaker()
    for _ in range(10):
        assert call(breaker, OUTAGE, now) is Admission.NORMAL
    return breaker


def test_a_new_breaker_lets_everything_through():
    breaker = Breaker()
    assert [breaker.admit(0) for _ in range(100)] == [Admission.NORMAL] * 100
    assert breaker.state(0) is BreakerState.CLOSED
    assert breaker.ready_at() == 0


@pytest.mark.parametrize("fault", [Fault.OUTAGE, Fault.UNKNOWN])
def test_ten_failures_open_it_and_nine_do_not(fault):
    breaker = Breaker()
    for _ in range(9):
        call(breaker, FAULTS[fault], 0)
    assert breaker.state(0) is BreakerState.CLOSED
    call(breaker, FAULTS[fault], 0)
    assert breaker.state(0) is BreakerState.OPEN
    assert breaker.admit(29.9) is None


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ("ok*5 outage*5", BreakerState.OPEN),
        ("ok*6 outage*5", BreakerState.CLOSED),
        ("outage*5 ok*4", BreakerState.CLOSED),
        ("ok*10 outage*9", BreakerState.CLOSED),
        ("ok*10 outage*10", BreakerState.OPEN),
        ("ok*100 outage*9", BreakerState.CLOSED),
        ("ok*100 outage*10", BreakerState.OPEN),
        ("mail*5 outage*5", BreakerState.OPEN),
        ("mail*100", BreakerState.CLOSED),
        ("outage*9 rate*50", BreakerState.CLOSED),
        ("account", BreakerState.OPEN),
        ("ok*100 account", BreakerState.OPEN),
    ],
)
def test_half_of_the_last_twenty_open_it(outcomes, state):
    breaker = Breaker(BreakerPolicy(rate_seconds=0))
    for group in outcomes.split():
        kind, _, times = group.partition("*")
        for _ in range(int(times or 1)):
            call(breaker, OK if kind == "ok" else FAULTS[Fault(kind)], 0)
    assert breaker.state(0) is state


def test_the_pause_doubles_up_to_five_minutes():
    breaker, now = opened(), 0.0
    for pause in (30, 60, 120, 240, 300, 300):
        assert breaker.ready_at() == now + pause
        assert breaker.admit(now + pause - 0.1) is None
        now += pause
        assert breaker.state(now) is BreakerState.HALF_OPEN
        assert call(breaker, OUTAGE, now) is Admission.PROBE


def test_there_is_one_probe_at_a_time():
    breaker = opened()
    assert breaker.admit(30) is Admission.PROBE
    assert [breaker.admit(now) for now in (30, 31, 9999)] == [None] * 3
    assert breaker.ready_at() is None
    breaker.record(Admission.PROBE, OK, 31)
    assert breaker.admit(31) is Admission.NORMAL


@pytest.mark.parametrize("verdict", [OK, FAULTS[Fault.MAIL]])
def test_a_probe_that_is_answered_closes_it_with_a_clean_slate(verdict):
    breaker = opened()
    call(breaker, verdict, 30)
    assert breaker.state(30) is BreakerState.CLOSED
    for _ in range(8):
        call(breaker, OUTAGE, 30)
    assert breaker.state(30) is BreakerState.CLOSED
    call(breaker, OUTAGE, 30)
    assert breaker.ready_at() == 60  # it starts over with the shortest pause


def test_a_bad_account_is_left_alone_for_five_minutes():
    breaker = Breaker()
    call(breaker, FAULTS[Fault.ACCOUNT], 0)
    assert breaker.admit(299.9) is None
    assert call(breaker, FAULTS[Fault.ACCOUNT], 300) is Admission.PROBE
    assert breaker.ready_at() == 600


@pytest.mark.parametrize(("asked", "pause"), [(None, 5), (0, 0), (60, 60), (300, 300)])
def test_a_throttle_cools_down_as_asked_without_counting(asked, pause):
    breaker = Breaker()
    call(breaker, Failed(Fault.RATE, "slow down", asked), 0)
    assert breaker.state(0) is BreakerState.CLOSED
    assert breaker.ready_at() == pause
    assert breaker.admit(pause - 0.1) is None
    assert breaker.admit(pause) is Admission.NORMAL


@pytest.mark.parametrize("asked", [301, 12 * 3600, 1e9])
def test_a_throttle_that_asks_for_too_long_is_probed_after_the_longest_pause(asked):
    breaker = Breaker()
    answer = Failed(Fault.RATE, "slow down", asked)
    for now in (0, 300, 600):
        call(breaker, answer, now)
        assert breaker.state(now) is BreakerState.OPEN
        assert breaker.ready_at() == now + 300
        assert breaker.opened_by == answer
    assert breaker.admit(900) is Admission.PROBE
    assert breaker.admit(900) is None, "one mail asks"
    breaker.record(Admission.PROBE, OK, 901)
    assert breaker.state(901) is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("outcomes", "pause"),
    [
        ("OOOOOOOOOO", 30),
        ("OOOOOOOOO.", 30),
        (".OOOOOOOOO", 30),
        (".OO.OOOOOO", 0.3),
        ("..OO.OO.OO", 0.3),
    ],
)
def test_a_provider_that_takes_some_mails_is_asked_again_at_once(outcomes, pause):
    breaker = Breaker(BreakerPolicy(window=10))
    for letter in outcomes:
        breaker.record(Admission.NORMAL, OUTAGE if letter == "O" else OK, 0)
    breaker.record(Admission.NORMAL, OUTAGE, 0)
    assert breaker.state(0) is BreakerState.OPEN
    assert breaker.ready_at() == pytest.approx(pause)


def test_a_probe_that_fails_where_some_pass_makes_no_long_pause():
    breaker = Breaker(BreakerPolicy(window=10))
    for letter in "O.O.O.O.OO":
        breaker.record(Admission.NORMAL, OUTAGE if letter == "O" else OK, 0)
    pauses, now = [breaker.ready_at()], breaker.ready_at()
    for _ in range(7):
        call(breaker, OUTAGE, now)
        pauses.append(breaker.ready_at() - now)
        now = breaker.ready_at()
    assert pauses == pytest.approx([0.3] * 6 + [30, 60]), "until nine of ten failed"


def test_the_failures_of_suspects_open_no_breaker():
    breaker = Breaker()
    for _ in range(100):
        breaker.record(Admission.NORMAL, OUTAGE, 0, suspect=True)
    assert breaker.state(0) is BreakerState.CLOSED


def test_a_suspect_that_fails_as_the_probe_makes_the_pause_no_longer():
    breaker, now = opened(), 0.0
    for _ in range(5):
        now += 30
        assert breaker.admit(now) is Admission.PROBE
        breaker.record(Admission.PROBE, OUTAGE, now, suspect=True)
        assert breaker.ready_at() == now + 30


def test_an_identity_that_is_refused_leaves_the_breaker_as_it_was():
    refused = FAULTS[Fault.IDENTITY]
    breaker = Breaker()
    for _ in range(100):
        assert call(breaker, refused, 0) is Admission.NORMAL
    assert breaker.state(0) is BreakerState.CLOSED
    breaker = opened()
    assert call(breaker, refused, 30) is Admission.PROBE
    assert breaker.state(30) is BreakerState.HALF_OPEN
    assert call(breaker, OK, 30) is Admission.PROBE, "the next mail asks at once"
    assert breaker.state(30) is BreakerState.CLOSED


def test_the_longer_of_two_throttles_holds():
    breaker = Breaker()
    for asked in (60, 10):
        breaker.record(Admission.NORMAL, Failed(Fault.RATE, "", asked), 0)
    assert breaker.ready_at() == 60


def test_a_throttled_probe_closes_it_and_cools_down():
    breaker = opened()
    call(breaker, Failed(Fault.RATE, "", 60), 30)
    assert breaker.state(30) is BreakerState.CLOSED
    assert breaker.admit(89) is None
    assert breaker.admit(90) is Admission.NORMAL


@pytest.mark.parametrize("verdict", [OK, *FAULTS.values()])
def test_what_began_before_it_opened_says_nothing_new(verdict):
    breaker = opened()
    breaker.record(Admission.NORMAL, verdict, 10, started_at=0)
    assert breaker.state(10) is BreakerState.OPEN
    assert breaker.ready_at() == 30


@pytest.mark.parametrize("verdict", FAULTS.values())
def test_not_even_when_a_probe_has_closed_it_meanwhile(verdict):
    breaker = opened()
    call(breaker, OK, 30)
    for _ in range(64):
        breaker.record(Admission.NORMAL, verdict, 60, started_at=-1)
    assert breaker.admit(60) is Admission.NORMAL
    breaker.record(Admission.NORMAL, FAULTS[Fault.ACCOUNT], 61, started_at=60)
    assert breaker.state(61) is BreakerState.OPEN


def test_a_late_result_does_not_end_a_probe():
    breaker = opened()
    assert breaker.admit(30) is Admission.PROBE
    breaker.record(Admission.NORMAL, OK, 31, started_at=0)
    assert breaker.admit(31) is None


def test_hasten_cuts_the_pause_after_an_outage():
    breaker = opened()
    call(breaker, OUTAGE, 30)
    call(breaker, OUTAGE, 90)
    breaker.shorten_pause(60)
    assert breaker.ready_at() == 150
    breaker.shorten_pause(300)
    assert breaker.ready_at() == 150


def test_hasten_leaves_a_bad_account_and_a_closed_breaker_alone():
    breaker = Breaker()
    call(breaker, FAULTS[Fault.ACCOUNT], 0)
    breaker.shorten_pause(60)
    assert breaker.ready_at() == 300
    closed = Breaker()
    call(closed, Failed(Fault.RATE, "", 200), 0)
    closed.shorten_pause(60)
    assert closed.ready_at() == 200


class BreakerMachine(RuleBasedStateMachine):
    """Calls that overlap at will, against what may be said of a breaker at any time."""

    def __init__(self):
        super().__init__()
        self.breaker = Breaker()
        self.now = 0
        self.calls: list[tuple[Admission, int]] = []

    @rule(seconds=st.sampled_from([0, 1, 10, 30, 60, 300]))
    def wait(self, seconds):
        self.now += seconds

    @rule(calls=st.integers(1, 12))
    def start(self, calls):
        for _ in range(calls):
            ready_at, state = self.breaker.ready_at(), self.breaker.state(self.now)
            admission = self.breaker.admit(self.now)
            if ready_at is None or ready_at > self.now:
                assert admission is None
            elif state is BreakerState.CLOSED:
                assert admission is Admission.NORMAL
            else:
                assert state is BreakerState.HALF_OPEN
                assert admission in (Admission.PROBE, Admission.TRIAL)
            if admission:
                self.calls.append((admission, self.now))

    @rule(data=st.data(), verdict=verdicts)
    def finish(self, data, verdict):
        if self.calls:
            admission, started_at = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
            before = self.breaker.state(self.now)
            self.breaker.record(admission, verdict, self.now, started_at=started_at)
            if admission is Admission.NORMAL and before is not BreakerState.CLOSED:
                assert self.breaker.state(self.now) is before

    @rule(verdict=verdicts, calls=st.integers(1, 12))
    def fail_or_work_at_once(self, verdict, calls):
        for _ in range(calls):
            call(self.breaker, verdict, self.now)

    @rule()
    def shorten_pause(self):
        self.breaker.shorten_pause(60)

    @invariant()
    def there_is_never_more_than_one_probe(self):
        probes = sum(admission is not Admission.NORMAL for admission, _ in self.calls)
        assert probes <= 1
        assert (self.breaker.ready_at() is None) is (probes == 1)

    @invariant()
    def no_pause_is_longer_than_the_longest(self):
        ready_at = self.breaker.ready_at() or 0.0
        assert ready_at - self.now <= 300

    @invariant()
    def the_state_says_what_admit_would_do(self):
        if self.breaker.state(self.now) is BreakerState.OPEN:
            assert self.breaker.admit(self.now) is None


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
