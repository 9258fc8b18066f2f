"""Whose fault it is, by the hour: providers that flap, mails that no provider takes, outages."""

import pytest

from limbo.domain.delivery.outcome import Dead
from limbo.domain.delivery.verdict import Failed, Fault
from tests.support.simulation import Simulation, always, flaps, never, switches

HOUR = 3600.0
AN_HOUR_OF_MAILS = [number * 0.36 for number in range(10_000)]
FOUR_A_SECOND = [number * 0.25 for number in range(4_000)]
POISON = 500


@pytest.mark.parametrize("providers", [1, 2])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_providers_that_flap_for_an_hour_bury_none_of_ten_thousand_mails(share, providers):
    """At 30 % ten failures in a row bury a mail that is not to blame: one of 170,000."""
    ran = Simulation(AN_HOUR_OF_MAILS, [flaps(share, 2 + n) for n in range(providers)]).run()
    assert ran.dead() == []
    assert len(ran.sent()) == 10_000


@pytest.mark.parametrize(("down", "up"), [(3, 7), (20, 40), (60, 140), (150, 150)])
def test_nor_do_providers_that_share_a_network_which_comes_and_goes(down, up):
    both = switches(down, up)
    ran = Simulation(AN_HOUR_OF_MAILS[:5000], [both, both]).run()
    assert ran.dead() == []
    assert len(ran.sent()) == 5000


@pytest.mark.parametrize(("down", "up"), [(5, 25), (29, 31), (160, 20)])
def test_a_provider_that_comes_and_goes_in_step_with_the_pauses_is_found_up(down, up):
    """With pauses of 30 and 60 s alone, each probe came when it was down: half waited 9 h."""
    ran = Simulation(AN_HOUR_OF_MAILS[:5000], [switches(down, up)], until=2 * HOUR).run()
    assert len(ran.sent()) == 5000


def test_nor_does_a_network_that_loses_a_tenth_at_both_providers_at_once():
    lost = flaps(0.1, 3)
    fate = {}

    def shared(number, at):
        if (number, round(at, 1)) not in fate:
            fate[number, round(at, 1)] = lost(number, at)
        return fate[number, round(at, 1)]

    ran = Simulation(AN_HOUR_OF_MAILS, [shared, shared]).run()
    assert ran.dead() == []


@pytest.mark.parametrize("providers", [1, 2])
def test_a_mail_that_no_provider_takes_dies_at_its_third_touch_among_healthy_ones(providers):
    ran = Simulation(FOUR_A_SECOND, [flaps(0, 1, [POISON])] * providers).run()
    assert ran.dead() == [POISON]
    assert ran.fates[POISON].tries == 3


@pytest.mark.parametrize(
    "shares", [(0.1,), (0.3,), (0.1, 0), (0.3, 0), (0.5, 0), (0.1, 0.1), (0.3, 0.3)], ids=str
)
def test_where_providers_flap_it_dies_within_its_tenth(shares):
    providers = [flaps(share, seed, [POISON]) for seed, share in enumerate(shares, 1)]
    ran = Simulation(AN_HOUR_OF_MAILS, providers, until=2 * HOUR).run()
    assert ran.dead() == [POISON]
    assert 3 <= ran.fates[POISON].tries <= 10


def test_a_hundred_such_mails_all_die_and_hold_up_the_others_for_no_long():
    """They come at once, before the others: the provider is down for all that one can see."""
    arrivals = sorted([*FOUR_A_SECOND, *[50.0] * 100])
    poison = range(arrivals.index(50.0), arrivals.index(50.0) + 100)
    ran = Simulation(arrivals, [flaps(0, 1, poison)], until=2 * HOUR).run()
    assert {*ran.sent()} == {*range(len(arrivals))} - {*poison}
    waits = ran.waits()
    assert waits[len(waits) // 2] < 300
    assert waits[-1] < 1200


def test_and_hardly_when_they_come_one_by_one():
    arrivals = sorted([*FOUR_A_SECOND, *[60.1 + number for number in range(100)]])
    poison = [number for number, at in enumerate(arrivals) if at % 0.25 > 0.05 and at > 60]
    ran = Simulation(arrivals, [flaps(0, 1, poison)], until=2 * HOUR).run()
    assert len(poison) == 100
    assert ran.dead() == poison
    assert ran.waits()[-1] < 60


@pytest.mark.parametrize("arrivals", [[0.0] * 2000, [n * 1.8 for n in range(2000)]])
def test_a_provider_that_fails_half_of_its_calls_still_gets_the_mails_out(arrivals):
    ran = Simulation(arrivals, [flaps(0.5, 3)], until=HOUR + 900).run()
    assert sum(ran.fates[number].settled_at <= HOUR for number in ran.sent()) > 1900
    assert ran.dead() == []


def test_a_lone_mail_survives_an_outage_of_hours():
    ran = Simulation([0.0], [lambda _, at: at < 5 * HOUR]).run()
    assert ran.sent() == [0]
    assert ran.waits()[0] < 5 * HOUR + 120


@pytest.mark.parametrize("fault", [Fault.OUTAGE, Fault.UNKNOWN, Fault.RATE])
@pytest.mark.parametrize("seconds_between", [0.0, 1.8], ids=["at once", "one by one"])
def test_half_an_hour_without_providers_kills_nobody(fault, seconds_between):
    down = [lambda _, at: at < HOUR / 2] * 2
    arrivals = [number * seconds_between for number in range(1000)]
    ran = Simulation(arrivals, down, answer=Failed(fault, fault.value)).run()
    assert ran.dead() == []
    assert len(ran.sent()) == 1000
    settled = [ran.fates[number].settled_at for number in ran.sent()]
    assert min(settled) - HOUR / 2 <= 60
    assert max(settled) - HOUR / 2 <= 120


@pytest.mark.parametrize("a_minute", [1, 10, 240])
def test_an_outage_after_healthy_traffic_kills_nobody(a_minute):
    arrivals = [number * 60 / a_minute for number in range(60 * a_minute)]
    down = [lambda _, at: 600 < at % 1200 < 900] * 2
    ran = Simulation(arrivals, down).run()
    assert ran.dead() == []
    assert len(ran.sent()) == len(arrivals)


def test_where_no_provider_works_nobody_is_to_blame():
    ran = Simulation([float(number) for number in range(100)], [always], until=4 * HOUR).run()
    assert (ran.dead(), ran.sent()) == ([], [])
    assert ran.calls < 4 * 60 * 2 + 100


def test_the_cause_is_what_the_last_provider_said():
    ran = Simulation(FOUR_A_SECOND, [flaps(0, 1, [POISON]), always]).run()
    [number] = ran.dead()
    outcome = ran.fates[number].outcome
    assert isinstance(outcome, Dead)
    assert (outcome.cause.kind, outcome.cause.reason) == ("outage", "503 Service Unavailable")
    assert Simulation([0.0], [never]).run().sent() == [0]
