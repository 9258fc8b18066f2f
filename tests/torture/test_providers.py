"""Providers that are down, slow, or take a mail without a word."""

import random
import time
from itertools import pairwise

import pytest

from tests.support.working import until
from tests.torture.load import Load
from tests.torture.provider import Accept, Refuse, Vanish
from tests.torture.site import Site

EU_STATE = 'limbo_breaker_state{sender="mailgun.eu"}'
EU_REFUSED = 'limbo_send_attempts_total{outcome="account",sender="mailgun.eu"}'
OPEN = 2.0
GRACE_SECONDS = 3.0  # what had begun when a breaker opened is at the provider by then


@pytest.mark.timeout(300)
def test_a_provider_that_is_down_is_left_alone_and_costs_no_mail(site, full, figures):
    """The longest pause is as short as the first: no call may come sooner than that."""
    provider = site.provider
    per_second, pause = (25, 30) if full else (50, 1)
    provider.behave = lambda call: Refuse(503) if call.domain.startswith("eu.") else Accept(0.02)
    site.set(BREAKER_OPEN_SECONDS=pause, BREAKER_OPEN_MAX_SECONDS=pause, CONCURRENCY=8)
    api = site.api()
    workers = site.workers(2)
    opened = {}

    def late() -> list[list[float]]:
        """Return when each worker called the dead one after its breaker had opened."""
        return [
            [call.at for call, _ in provider.calls if call.domain == domain and call.at > at]
            for domain, at in opened.items()
        ]

    with Load(api.url, per_second=per_second) as load:
        for worker in workers:
            until(lambda w=worker: w.metric(EU_STATE) == OPEN, 30)
            opened[f"eu.{worker.name}"] = time.monotonic() + GRACE_SECONDS
        until(lambda: min(map(len, late())) >= 3, 200)
    site.drain()
    outcome = site.outcome(load.submitted)
    pauses = [after - before for calls in late() for before, after in pairwise(calls)]
    figures(
        "one provider down of two",
        **outcome.figures(),
        calls_of_the_dead_one=sum(provider.calls_of[domain] for domain in opened),
        once_open=sum(map(len, late())),
        breaker_open_seconds=pause,
        shortest_pause=min(pauses),
    )
    assert (outcome.lost, outcome.dead, outcome.doubles) == (0, 0, 0)
    assert min(pauses) > pause


@pytest.mark.timeout(120)
def test_a_send_that_outlasts_its_lease_is_sent_once(each_site, full, figures):
    site = each_site
    lease, times = 10, 3.0 if full else 1.3
    site.provider.behave = lambda _: Accept(times * lease)
    site.set(LEASE_SECONDS=lease, SEND_TIMEOUT_SECONDS=60, CONCURRENCY=16)
    api = site.api()
    site.workers(2)
    with Load(api.url, mails=20) as load:
        load.join(30)
    site.drain()
    outcome = site.outcome(load.submitted)
    figures(f"a send {times} times its lease, {site.kind}", lease=lease, **outcome.figures())
    assert (outcome.lost, outcome.dead, outcome.doubles) == (0, 0, 0)


@pytest.mark.timeout(300)
def test_a_mail_taken_without_a_word_is_marked_and_given_to_no_other_provider(site, full, figures):
    """Two of three mails are answered, so that the breakers stay out of it."""
    provider = site.provider
    count = 500 if full else 40
    subjects = ("reset", "fine", "fine", "hang", "fine", "fine")
    provider.behave = lambda call: (
        Accept() if call.subject == "fine" or call.nth > 1 else Vanish(call.subject)
    )
    site.set(SEND_TIMEOUT_SECONDS=5, RETRY_DELAYS="2,2")
    site.set(BREAKER_OPEN_SECONDS=0.2, BREAKER_OPEN_MAX_SECONDS=0.2)
    api = site.api()
    site.workers(2)
    with Load(api.url, mails=3 * count, subject=lambda n: subjects[n % 6]) as load:
        load.join(60)
    seconds = site.drain(120)
    outcome = site.outcome(load.submitted)
    vanished = {call.mail_id for call, reply in provider.calls if isinstance(reply, Vanish)}
    stories = {mail_id: [] for mail_id in vanished}
    for event in site.fleet.events():
        if event.get("mail_id") in vanished and event["event"] != "mail submitted":
            stories[event["mail_id"]].append(event["event"])
    told = sum(map(_is_put_off_after_one_call, stories.values()))
    marked = site.fleet.marked()
    figures(
        "provider accepts, then resets or hangs",
        **outcome.figures(),
        vanished=len(vanished),
        marked=len(marked),
        put_off_after_one_call=told,
        seconds_to_drain=seconds,
    )
    assert (outcome.lost, outcome.dead) == (0, 0)
    assert len(vanished) == count
    assert marked == vanished
    assert told == count


@pytest.mark.timeout(300)
@pytest.mark.parametrize("senders", [("eu", "us"), ("eu",)], ids=["one of two", "the only one"])
def test_a_key_revoked_costs_no_mail_and_shows(site, full, figures, senders):
    site, provider = Site(site.fleet, site.provider, site.url, senders), site.provider
    mails, pause = (500, 10) if full else (60, 1)
    revoked = False
    provider.behave = lambda call: (
        Refuse(401) if revoked and call.domain.startswith("eu.") else Accept(0.02)
    )
    site.set(CONCURRENCY=8, BREAKER_OPEN_MAX_SECONDS=pause, RETRY_DELAYS=5)
    api = site.api()
    [worker] = site.workers(1)
    with Load(api.url, per_second=mails / 2) as load:
        provider.await_deliveries(mails / 4)
        revoked = True
        until(lambda: worker.metric(EU_STATE) == OPEN, 30)
        load.await_more(mails / 4)
    until(lambda: worker.metric(EU_REFUSED) >= 1)
    refused = int(worker.metric(EU_REFUSED))
    revoked = False
    seconds = site.drain(90)
    outcome = site.outcome(load.submitted)
    site.close()
    figures(
        f"a key revoked, {'one of two' if len(senders) > 1 else 'the only one'}",
        **outcome.figures(),
        calls_refused=refused,
        breaker_open_seconds=pause,
        seconds_to_drain=seconds,
    )
    assert (outcome.lost, outcome.dead, outcome.doubles) == (0, 0, 0)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("senders", [("eu", "us"), ("eu",)], ids=["two", "the only one"])
def test_providers_that_flap_bury_only_the_mails_that_none_takes(site, full, figures, senders):
    site, provider = Site(site.fleet, site.provider, site.url, senders), site.provider
    mails, chance = (2000 if full else 400), random.Random(1)
    provider.behave = lambda call: (
        Refuse(503) if call.subject == "poison" or chance.random() < 0.2 else Accept(0.01)
    )
    site.set(RETRY_DELAYS="1,1")
    api = site.api()
    [worker] = site.workers(1)
    with Load(api.url, mails=20, per_second=20) as load:  # the others are a measure for the last
        load.join(60)
    subject = ["poison", *["fine"] * (mails - 1)].__getitem__
    with Load(api.url, mails=mails, per_second=mails / 15, clients=1, subject=subject) as more:
        more.join(120)
        until(lambda: worker.metric('limbo_mails_settled_total{outcome="dead"}') >= 1, 60)
    seconds = site.drain(120)
    outcome = site.outcome([*load.submitted, *more.submitted])
    site.close()
    figures(
        f"a fifth of the calls fail, {'two' if len(senders) > 1 else 'the only one'}",
        **outcome.figures(),
        seconds_to_drain=seconds,
    )
    assert (outcome.lost, outcome.dead, outcome.doubles) == (0, 1, 0)


def _is_put_off_after_one_call(story):
    failed, *then, sent = story
    return (failed, {*then}, sent) == ("provider failed", {"mail deferred"}, "mail sent")
