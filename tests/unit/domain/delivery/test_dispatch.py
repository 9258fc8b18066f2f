"""One touch of one mail: who is tried, who is blamed, and what follows."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbo.domain.delivery.breaker import BreakerPolicy, BreakerState
from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.outcome import Dead, Deferred, Outcome, Sent, Stopped
from limbo.domain.delivery.verdict import Accepted, Attempt, Failed, Fault, Verdict
from limbo.domain.mail.mail import Mail
from tests.strategies import verdicts
from tests.support.clock import Clock
from tests.support.mails import a_mail

MAIL = a_mail(id="m")
OK = Accepted("id")
MAIL_FAULT, ACCOUNT, IDENTITY, RATE, OUTAGE, UNKNOWN = (
    Failed(fault, fault.value) for fault in Fault
)
NO_BREAKER = BreakerPolicy(window=10_000, minimum=10_000)


class Scripted:
    """A sender that answers from a list, and then as it did last."""

    def __init__(self, name: str, *verdicts: Verdict | Exception) -> None:
        self.name = name
        self.mails: list[Mail] = []
        self._verdicts = list(verdicts)

    def check(self) -> None:
        """Nothing is known against it."""

    def send(self, mail: Mail) -> Verdict:
        self.mails.append(mail)
        verdict = self._verdicts.pop(0) if len(self._verdicts) > 1 else self._verdicts[0]
        if isinstance(verdict, Exception):
            raise verdict
        return verdict


class FirstInLine(random.Random):
    """A shuffle that keeps the order, for tests of what follows from it."""

    first = 0
    """Who is the first in line: those before stand behind the others."""

    def sample(self, population, k, *, counts=None):  # noqa: ARG002 - the signature is Random's
        return [*population[self.first :], *population[: self.first]][:k]


def dispatcher(*senders, clock=None, **settings) -> Dispatcher:
    return Dispatcher(
        senders, now=(clock or Clock(0.0)).now, **({"rng": FirstInLine(1)} | settings)
    )


def ordered(*verdicts: Verdict | Exception, touches: int = 0) -> tuple[Outcome, list[int]]:
    """Dispatch to senders that answer so, in that order; return also how often each was called."""
    senders = [Scripted(f"s{number}", verdict) for number, verdict in enumerate(verdicts)]
    outcome = dispatcher(*senders).dispatch(MAIL, touches)
    return outcome, [len(sender.mails) for sender in senders]


def faults(attempts: Sequence[Attempt]) -> list[Fault | None]:
    return [getattr(attempt.verdict, "fault", None) for attempt in attempts]


def opened(*senders, clock=None, **settings) -> Dispatcher:
    """Return a dispatcher whose breakers ten failures each have opened."""
    made = dispatcher(*senders, clock=clock, **settings)
    while BreakerState.CLOSED in made.states().values():
        made.dispatch(MAIL, 0)
    return made


def test_the_mail_is_sent_by_the_first_that_accepts():
    outcome, calls = ordered(OK, OK)
    assert isinstance(outcome, Sent)
    assert calls == [1, 0]


@pytest.mark.parametrize("blamed", [ACCOUNT, IDENTITY, RATE, OUTAGE])
def test_falls_back_when_the_provider_is_to_blame(blamed):
    outcome, calls = ordered(blamed, OK, OK)
    assert isinstance(outcome, Sent)
    assert faults(outcome.attempts) == [blamed.fault, None]
    assert calls == [1, 1, 0]


@pytest.mark.parametrize("touches", [0, 2, 9])
@pytest.mark.parametrize("earlier", [[], [OUTAGE], [ACCOUNT, RATE]])
def test_a_mail_at_fault_is_dead_at_once_without_fallback(touches, earlier):
    outcome, calls = ordered(*earlier, MAIL_FAULT, OK, touches=touches)
    assert isinstance(outcome, Dead)
    assert outcome.cause.kind == "mail"
    assert outcome.cause.sender == f"s{len(earlier)}"
    assert not outcome.possible_duplicate
    assert calls[-1] == 0


@pytest.mark.parametrize("earlier", [[], [OUTAGE], [ACCOUNT, RATE]])
def test_an_unknown_fate_stops_the_touch_and_is_marked(earlier):
    outcome, calls = ordered(*earlier, UNKNOWN, OK)
    assert isinstance(outcome, Deferred)
    assert outcome.touched
    assert outcome.possible_duplicate
    assert calls[-1] == 0


class Picky(Scripted):
    """Answers one mail as told, and takes all others."""

    def send(self, mail: Mail) -> Verdict:
        return super().send(mail) if mail.id == MAIL.id else OK


def among_healthy(*answers: Verdict, others: int = 60) -> Dispatcher:
    """Return a dispatcher whose senders have all just taken so many mails of others."""
    senders = [Picky(f"s{number}", answer) for number, answer in enumerate(answers)]
    order = FirstInLine(1)
    made = dispatcher(*senders, rng=order)
    for first in range(len(senders)):
        order.first = first
        for number in range(others):
            assert isinstance(made.dispatch(a_mail(id=f"{first}-{number}"), 0), Sent)
    order.first = 0
    return made


@pytest.mark.parametrize(
    ("answers", "kind", "sender"),
    [
        ([OUTAGE], "outage", "s0"),
        ([UNKNOWN], "unknown", "s0"),
        ([OUTAGE, UNKNOWN], "unknown", "s1"),
        ([OUTAGE, ACCOUNT], "outage", "s0"),
        ([RATE, OUTAGE, RATE], "outage", "s1"),
        ([IDENTITY, OUTAGE], "outage", "s1"),
    ],
)
def test_the_third_touch_buries_among_healthy_mails_and_names_what_counted(answers, kind, sender):
    made, evidence = among_healthy(*answers), NO_EVIDENCE
    for touches in (0, 1):
        outcome = made.dispatch(MAIL, touches, evidence=evidence)
        assert isinstance(outcome, Deferred)
        assert outcome.touched
        evidence = outcome.evidence
    for touches in (2, 3):
        outcome = made.dispatch(MAIL, touches, evidence=evidence)
        assert isinstance(outcome, Dead)
        assert (outcome.cause.kind, outcome.cause.sender) == (kind, sender)
        assert outcome.possible_duplicate is (UNKNOWN in answers)


@pytest.mark.parametrize("touches", [0, 1])
def test_no_evidence_buries_before_the_third_touch(touches):
    made = among_healthy(OUTAGE, OUTAGE, others=300)
    outcome = made.dispatch(MAIL, touches, evidence=Evidence(log_likelihood=-100.0))
    assert isinstance(outcome, Deferred)


OTHER = replace(MAIL, id="other")


def test_an_outage_met_alone_or_by_all_never_buries():
    made = dispatcher(Scripted("a", OUTAGE), Scripted("b", OUTAGE))
    for mail in (MAIL, OTHER, MAIL, OTHER, MAIL):
        outcome = made.dispatch(mail, 99, evidence=Evidence(log_likelihood=-100.0))
        assert isinstance(outcome, Deferred)
        assert not outcome.touched


@pytest.mark.parametrize("works", [OK, MAIL_FAULT])
def test_a_provider_that_works_for_others_lets_a_mail_be_buried(works):
    made = dispatcher(Scripted("a", *[works] * 30, OUTAGE))
    for number in range(30):
        made.dispatch(a_mail(id=f"other-{number}"), 0)
    assert isinstance(made.dispatch(MAIL, 2, evidence=Evidence(log_likelihood=-7.0)), Dead)


def test_the_third_answer_that_never_came_buries_whoever_else_met_it():
    made, evidence = dispatcher(Scripted("a", UNKNOWN)), NO_EVIDENCE
    made.dispatch(OTHER, 0)
    for touches in (0, 1):
        outcome = made.dispatch(MAIL, touches, evidence=evidence)
        assert outcome.touched
        evidence = outcome.evidence
    assert isinstance(made.dispatch(MAIL, 2, evidence=evidence), Dead)


@pytest.mark.parametrize("answers", [[ACCOUNT], [RATE], [ACCOUNT, RATE], [RATE, RATE]])
def test_a_key_or_a_throttle_never_buries(answers):
    outcome, _ = ordered(*answers, touches=99)
    assert isinstance(outcome, Deferred)
    assert not outcome.touched
    assert not outcome.possible_duplicate


def test_a_probe_never_buries():
    clock = Clock(0.0)
    made = opened(Scripted("a", *[OUTAGE] * 10, OUTAGE), clock=clock)
    clock.time = made.ready_in()
    outcome = made.dispatch(MAIL, 99, evidence=Evidence(log_likelihood=-100.0))
    assert isinstance(outcome, Deferred)
    assert not outcome.touched
    assert not outcome.possible_duplicate


def test_but_a_probe_that_may_have_sent_counts_as_it_bounds_the_doubles():
    clock = Clock(0.0)
    made = opened(Scripted("a", *[OUTAGE] * 10, UNKNOWN), clock=clock)
    evidence = NO_EVIDENCE
    for touches in (0, 1):
        clock.elapse(made.ready_in())
        outcome = made.dispatch(MAIL, touches, evidence=evidence)
        assert outcome.touched
        assert outcome.possible_duplicate
        evidence = outcome.evidence
    clock.elapse(made.ready_in())
    assert isinstance(made.dispatch(MAIL, 2, evidence=evidence), Dead)


def test_a_touch_that_includes_a_probe_does_not_bury_either():
    clock = Clock(0.0)
    made = dispatcher(Scripted("a", ACCOUNT, OUTAGE), Scripted("b", OUTAGE), clock=clock)
    made.dispatch(MAIL, 0)
    clock.time = 300
    outcome = made.dispatch(MAIL, 99)
    assert faults(outcome.attempts) == [Fault.OUTAGE, Fault.OUTAGE]
    assert isinstance(outcome, Deferred)
    assert not outcome.touched


def test_a_mail_at_fault_is_dead_even_by_a_probe():
    clock = Clock(0.0)
    made = opened(Scripted("a", *[OUTAGE] * 10, MAIL_FAULT), clock=clock)
    clock.time = 30
    assert isinstance(made.dispatch(MAIL, 0), Dead)
    assert made.states() == {"a": BreakerState.CLOSED}


def test_a_provider_that_is_down_is_not_called():
    down, up = Scripted("down", ACCOUNT, OUTAGE), Scripted("up", OK)
    made = dispatcher(down, up)
    assert all(isinstance(made.dispatch(MAIL, 0), Sent) for _ in range(100))
    assert (len(down.mails), len(up.mails)) == (1, 100)


def test_nobody_free_is_no_touch():
    made = opened(Scripted("a", OUTAGE))
    outcome = made.dispatch(MAIL, 99)
    assert isinstance(outcome, Deferred)
    assert outcome.attempts == []
    assert not outcome.touched
    assert 0 < outcome.delay <= 45


def test_without_any_sender_the_mail_waits():
    made = dispatcher()
    assert isinstance(made.dispatch(MAIL, 99), Deferred)
    assert made.capacity() == 0
    assert made.ready_in() == float("inf")


def test_a_sender_that_raises_may_have_sent():
    error = RuntimeError("secret")
    outcome, calls = ordered(error, OK)
    assert isinstance(outcome, Deferred)
    assert outcome.possible_duplicate
    assert calls == [1, 0]
    [attempt] = outcome.attempts
    assert attempt.error is error
    assert attempt.verdict == Failed(Fault.UNKNOWN, "the sender raised RuntimeError")


@pytest.mark.parametrize(
    ("answers", "least", "most"),
    [
        ([Failed(Fault.RATE, "", 200)], 200, 215),
        ([Failed(Fault.RATE, "", 200), Failed(Fault.RATE, "", 100)], 100, 115),
        ([Failed(Fault.RATE, "", 3600)], 300, 315),
        ([Failed(Fault.RATE, "", 3600), Failed(Fault.RATE, "", 600)], 300, 315),
        ([Failed(Fault.RATE, "", 3600), OUTAGE], 15, 30),
        ([Failed(Fault.RATE, "", 3600), ACCOUNT], 30, 45),
        ([Failed(Fault.RATE, "", 315_360_000)], 300, 315),
        ([RATE], 5, 20),
    ],
)
def test_a_throttled_mail_waits_as_long_as_it_is_asked_to(answers, least, most):
    outcome, _ = ordered(*answers)
    assert isinstance(outcome, Deferred)
    assert least <= outcome.delay <= most


def test_a_probe_that_is_not_permitted_leaves_its_place_to_the_next():
    clock = Clock(0.0)
    made = opened(Scripted("a", *[OUTAGE] * 10, OK), clock=clock)
    clock.time = 30
    refused = made.dispatch(MAIL, 0, lambda **_: Stop.CANCELLED)
    assert isinstance(refused, Stopped)
    assert made.capacity() == 1
    assert isinstance(made.dispatch(MAIL, 0), Sent)


def test_a_probe_whose_permission_fails_leaves_its_place_to_the_next():
    clock = Clock(0.0)
    made = opened(Scripted("a", *[OUTAGE] * 10, OK), clock=clock)
    clock.time = 30

    def fail(**_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        made.dispatch(MAIL, 0, fail)
    assert isinstance(made.dispatch(MAIL, 0), Sent)


def test_a_probe_that_raises_is_over():
    clock = Clock(0.0)
    made = opened(Scripted("a", *[OUTAGE] * 10, RuntimeError(), OK), clock=clock)
    clock.time = 30
    made.dispatch(MAIL, 0)
    clock.time += made.ready_in()
    assert isinstance(made.dispatch(MAIL, 0), Sent)


def test_a_reason_repeats_nothing_of_the_mail():
    mail = a_mail(
        from_="Erna Muster <erna@a.example>",
        to="you@b.example",
        subject="Top Secret",
        message="My number is\n4711-0815\n",
    )
    said = "no TOP SECRET (4711-0815) from Erna Muster to you%40b.example or you@b.example"
    outcome = dispatcher(Scripted("a", Failed(Fault.MAIL, said))).dispatch(mail, 0)
    assert isinstance(outcome, Dead)
    assert outcome.cause.reason == "no … (…) from … to … or <address>"
    assert outcome.attempts[0].verdict.reason == outcome.cause.reason


def test_a_short_subject_tears_no_reason_to_pieces():
    mail = replace(MAIL, subject="a")
    outcome = dispatcher(Scripted("a", Failed(Fault.MAIL, "a bad mail"))).dispatch(mail, 0)
    assert outcome.cause.reason == "a bad mail"


@pytest.mark.parametrize("why", Stop)
@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_no_provider_is_started_once_that_is_not_permitted(allowed, why):
    senders = [Scripted(name, OUTAGE) for name in "abc"]
    asked = []

    def permit(*, sender, started_at, earlier):
        asked.append((sender, started_at, len(earlier)))
        return None if len(asked) <= allowed else why

    outcome = dispatcher(*senders).dispatch(MAIL, 2, permit)
    assert outcome == Stopped(attempts=outcome.attempts, why=why)
    assert len(outcome.attempts) == allowed
    assert asked == [("abc"[n], 0.0, n) for n in range(allowed + 1)]
    assert sum(len(sender.mails) for sender in senders) == allowed


def test_an_attempt_says_who_and_when():
    clock = Clock(0.0)
    clock.time = 100.0

    class Slow(Scripted):
        def send(self, mail):
            clock.time += 2.5
            return super().send(mail)

    [attempt] = dispatcher(Slow("slow", OK), clock=clock).dispatch(MAIL, 0).attempts
    assert attempt == Attempt(sender="slow", started_at=100.0, duration=2.5, verdict=OK)


def test_a_clock_set_back_makes_no_negative_duration():
    clock = Clock()

    class Backwards(Scripted):
        def send(self, mail):
            clock.time -= 1
            return super().send(mail)

    made = dispatcher(Backwards("a", OK), clock=clock)
    assert made.dispatch(MAIL, 0).attempts[0].duration == 0.0


def test_a_call_that_outlives_an_outage_says_nothing_new():
    clock = Clock(0.0)
    sender = Scripted("a", *[OUTAGE] * 10, OK)
    made = dispatcher(sender, clock=clock)
    answer = sender.send

    def outlive(mail):
        sender.send = answer
        clock.time = 1
        while made.states()["a"] is BreakerState.CLOSED:
            made.dispatch(mail, 0)
        clock.time = 31
        made.dispatch(mail, 0)
        return ACCOUNT

    sender.send = outlive
    made.dispatch(MAIL, 0)
    assert made.states() == {"a": BreakerState.CLOSED}


def test_every_order_is_as_likely():
    senders = [Scripted(name, OUTAGE) for name in "abc"]
    made = dispatcher(*senders, rng=random.Random(7), breaker=NO_BREAKER)
    orders = Counter(
        "".join(attempt.sender for attempt in made.dispatch(MAIL, 0).attempts) for _ in range(6000)
    )
    assert len(orders) == 6
    assert all(850 < count < 1150 for count in orders.values())


@pytest.mark.parametrize(("touches", "longest"), [(0, 30), (1, 300)])
def test_the_pause_is_spread_over_its_second_half(touches, longest):
    made = dispatcher(Picky("a", OUTAGE), rng=random.Random(7), breaker=NO_BREAKER)
    outcomes = []
    for number in range(1060):
        made.dispatch(a_mail(id=f"other-{number}"), 0)
        if number >= 60:
            outcomes.append(made.dispatch(MAIL, touches))
    delays = [outcome.delay for outcome in outcomes if isinstance(outcome, Deferred)]
    assert len(delays) == 1000
    assert longest / 2 <= min(delays) < longest * 0.51
    assert longest * 0.99 < max(delays) <= longest


answers = st.lists(verdicts | st.just(RuntimeError("x")), min_size=1, max_size=30)


@given(
    st.lists(answers, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 30, 300])), max_size=30),
    st.randoms(use_true_random=False),
)
def test_for_any_answers_the_rules_of_a_touch_hold(scripts, steps, rng):
    clock = Clock(0.0)
    senders = [Scripted(f"s{number}", *script) for number, script in enumerate(scripts)]
    made = Dispatcher(senders, now=clock.now, rng=random.Random(rng.random()))
    evidence = {MAIL.id: NO_EVIDENCE, OTHER.id: NO_EVIDENCE}
    for touches, seconds in steps:
        clock.time += seconds
        half_open = {name for name, state in made.states().items() if state != "closed"}
        mail = rng.choice([MAIL, OTHER])
        outcome = made.dispatch(mail, touches, evidence=evidence[mail.id])
        tried = [attempt.sender for attempt in outcome.attempts]
        seen = faults(outcome.attempts)
        unknown = Fault.UNKNOWN in seen
        may_count = unknown or (Fault.OUTAGE in seen and not half_open & set(tried))
        assert len(tried) == len(set(tried))
        assert seen.count(None) == (1 if isinstance(outcome, Sent) else 0)
        assert not {None, Fault.MAIL, Fault.UNKNOWN} & set(seen[:-1])
        match outcome:
            case Sent():
                assert seen[-1] is None
            case Dead(cause=cause, possible_duplicate=duplicate):
                assert cause.kind in ("mail", "identity") or (may_count and touches >= 2)
                assert (cause.kind == "mail") is (seen[-1] is Fault.MAIL)
                assert duplicate is unknown
            case Deferred(touched=touched, delay=delay, possible_duplicate=duplicate):
                assert Fault.MAIL not in seen
                assert touched is unknown or may_count
                before, evidence[mail.id] = evidence[mail.id], outcome.evidence
                fell = outcome.evidence.log_likelihood < before.log_likelihood
                assert fell is touched
                assert duplicate is unknown
                assert 0 <= delay <= 3600
            case Stopped():
                pytest.fail("nobody stopped it")


def test_capacity_follows_the_breakers():
    clock = Clock(0.0)
    a, b = Scripted("a", *[OUTAGE] * 10, OK), Scripted("b", *[OUTAGE] * 10, OUTAGE, OK)
    made = dispatcher(a, b, clock=clock)
    assert (made.capacity(), made.ready_in()) == (None, 0)
    while BreakerState.CLOSED in made.states().values():
        made.dispatch(MAIL, 0)
    assert (made.capacity(), made.ready_in()) == (0, 30)
    clock.time = 29
    assert (made.capacity(), made.ready_in()) == (0, 1)
    clock.time = 31
    assert (made.capacity(), made.ready_in()) == (2, 0)
    assert set(made.states().values()) == {BreakerState.HALF_OPEN}
    assert isinstance(made.dispatch(MAIL, 0), Sent)
    assert (made.capacity(), made.ready_in()) == (None, 0)


def test_one_closed_provider_is_room_for_any_number():
    made = dispatcher(Scripted("a", ACCOUNT), Scripted("b", OK))
    made.dispatch(MAIL, 0)
    assert (made.capacity(), made.ready_in()) == (None, 0)


def test_while_all_cool_down_nothing_is_worth_receiving():
    clock = Clock(0.0)
    made = dispatcher(Scripted("a", Failed(Fault.RATE, "", 60)), clock=clock)
    made.dispatch(MAIL, 0)
    assert made.states() == {"a": BreakerState.CLOSED}
    assert (made.capacity(), made.ready_in()) == (0, 60)
    clock.time = 60
    assert (made.capacity(), made.ready_in()) == (None, 0)


def test_amid_a_probe_nothing_is_worth_receiving():
    clock = Clock(0.0)
    seen = []

    class Curious(Scripted):
        def send(self, mail):
            seen.append((made.capacity(), made.ready_in(), made.dispatch(mail, 0).attempts))
            return OK

    sender = Scripted("a", OUTAGE)
    made = opened(sender, clock=clock)
    clock.time = 30
    sender.send = Curious("a", OK).send
    made.dispatch(MAIL, 0)
    assert seen == [(0, float("inf"), [])]


def test_while_everything_is_down_a_probe_goes_out_within_every_minute_out_of_step():
    clock = Clock(0.0)
    sender = Scripted("a", OUTAGE)
    made = opened(sender, clock=clock)
    pauses = []
    for _ in range(8):
        pauses.append(made.ready_in())
        clock.time += made.ready_in()
        made.dispatch(MAIL, 0)
    assert pauses[0] == 30
    assert all(30 <= pause <= 60 for pause in pauses[1:])
    assert len({*pauses}) == 8


def test_while_another_works_the_pauses_of_the_one_that_is_down_grow():
    clock = Clock(0.0)
    down, up = Scripted("down", OUTAGE), Scripted("up", OK)
    made = dispatcher(down, up, clock=clock)
    for _ in range(1800):
        clock.time += 1
        assert isinstance(made.dispatch(MAIL, 0), Sent)
    assert len(down.mails) - 10 <= 9  # after 30, 60, 120, 240 and then every 300 s


def test_threads_share_one_probe():
    clock = Clock(0.0)
    lock = threading.Lock()
    calls, together, most = 0, 0, 0

    class Counting:
        name = "a"

        def send(self, mail):  # noqa: ARG002 - the signature is the port's
            nonlocal calls, together, most
            with lock:
                calls, together = calls + 1, together + 1
                most = max(most, together)
            time.sleep(0.002)
            with lock:
                together -= 1
            return OUTAGE

    made = opened(Counting(), clock=clock)
    calls = most = 0
    with ThreadPoolExecutor(64) as pool:
        for _ in range(5):
            clock.time += 300
            outcomes = list(pool.map(lambda _: made.dispatch(MAIL, 9), range(64)))
            assert sum(len(outcome.attempts) for outcome in outcomes) == 1
            assert all(isinstance(outcome, Deferred) for outcome in outcomes)
    assert (calls, most) == (5, 1)


def test_threads_send_side_by_side():
    barrier = threading.Barrier(64, timeout=60)

    class Meeting:
        name = "a"

        def send(self, mail):  # noqa: ARG002 - the signature is the port's
            barrier.wait()
            return OK

    made = dispatcher(Meeting())
    with ThreadPoolExecutor(64) as pool:
        outcomes = list(pool.map(lambda _: made.dispatch(MAIL, 0), range(64)))
    assert all(isinstance(outcome, Sent) for outcome in outcomes)
