"""Processes that are killed, or stopped, while mails come and go."""

import pytest

from tests.torture.load import Load
from tests.torture.provider import Accept, Refuse

CONCURRENCY = 8
WORKERS = 4


def bad_now_and_then(number):
    return "bad" if number % 10 == 0 else "good"


def refuse_the_bad(call):
    return Refuse(400) if call.subject == "bad" else Accept(0.02)


@pytest.mark.timeout(300)
def test_no_mail_is_lost_when_workers_are_killed(each_site, full, figures):
    """A mail was in flight at a kill when its lease ran out: all such are marked, in some log.

    Those are the mails being sent, and those sent whose acknowledgement is under way.
    """
    site, provider = each_site, each_site.provider
    kills, mails, lease = (50, 10_000, 5) if full else (4, 400, 2)
    provider.behave = refuse_the_bad
    site.set(CONCURRENCY=CONCURRENCY, LEASE_SECONDS=lease)
    api = site.api()
    workers = site.workers(WORKERS)
    with Load(api.url, mails=mails, subject=bad_now_and_then) as load:
        for number in range(kills):
            provider.await_deliveries((number + 0.5) * 0.9 * mails / kills)
            victim = workers[number % WORKERS]
            victim.wait_until_ready()
            victim.kill()
            victim.start()
        load.join(240)
    seconds = site.drain()
    outcome = site.outcome(load.submitted)
    in_flight = site.fleet.marked()
    figures(
        f"kill -9 of workers, {site.kind}",
        kills=kills,
        **outcome.figures(),
        refused=len(provider.refused),
        in_flight_at_the_kills=len(in_flight),
        doubles_not_marked=len(provider.doubled - in_flight),
        seconds_to_drain=seconds,
    )
    assert (outcome.lost, outcome.dead) == (0, len(provider.refused))
    assert provider.doubled <= in_flight
    # One mail may be in flight at several kills, and be sent again after each.
    assert max(outcome.doubles, len(in_flight)) <= 4 * CONCURRENCY * kills


@pytest.mark.timeout(300)
def test_every_submitted_mail_outlives_a_kill_of_the_api(each_site, full, figures):
    site, provider = each_site, each_site.provider
    kills, each = (20, 200) if full else (3, 40)
    provider.behave = refuse_the_bad
    api = site.api()
    site.workers(1)
    with Load(api.url, subject=bad_now_and_then) as load:
        for _ in range(kills):
            load.await_more(each)
            api.kill()
            api.start()
        load.await_more(each)
    seconds = site.drain()
    outcome = site.outcome(load.submitted)
    figures(
        f"kill -9 of the api, {site.kind}",
        kills=kills,
        **outcome.figures(),
        refused=len(provider.refused),
        sent_though_unanswered=len(provider.deliveries.keys() - {*load.submitted}),
        seconds_to_drain=seconds,
    )
    assert (outcome.lost, outcome.dead, outcome.doubles) == (0, len(provider.refused), 0)
    assert load.statuses()[0] >= kills


@pytest.mark.timeout(300)
def test_a_rolling_restart_loses_and_doubles_nothing(each_site, full, figures):
    site = each_site
    restarts = 20 if full else 3
    site.provider.behave = lambda _: Accept(0.2)
    site.set(CONCURRENCY=CONCURRENCY)
    api = site.api()
    workers = site.workers(2)
    ends = []
    with Load(api.url, per_second=60) as load:
        for number in range(restarts):
            process = [*workers, api][number % 3]
            load.await_more(20)
            ends.append(process.terminate())
            process.start()
            process.wait_until_ready()
    seconds = site.drain()
    outcome = site.outcome(load.submitted)
    codes, took = zip(*ends, strict=True)
    figures(
        f"rolling SIGTERM, {site.kind}",
        restarts=restarts,
        **outcome.figures(),
        exit_codes={*codes},
        slowest_exit=max(took),
        seconds_to_drain=seconds,
    )
    assert (outcome.lost, outcome.dead, outcome.doubles) == (0, 0, 0)
    assert {*codes} == {0}
    assert max(took) < 30
