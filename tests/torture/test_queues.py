"""Queues that crash, fill up, or hold what is no mail."""

import time
from collections import Counter
from contextlib import closing
from functools import partial

import pytest

from limbo.domain.delivery.verdict import UNDECODABLE
from tests.support.postgres import running_postgres
from tests.support.working import until
from tests.torture.load import Load
from tests.torture.provider import Accept
from tests.torture.site import Site
from tests.torture.small_disk import filled, small_disk

LARGE = "m" * 20_000
POISON = (b"", b"\xff\xfe\x00{", b"{" * 1000, b"null", b'{"v": 1, "id": "x"}')
PLANT = """
    INSERT INTO limbo_queue (id, body, submitted_at, due) VALUES (:id, :body, :now, :now)
"""


@pytest.fixture
def crashing(fleet, provider):
    """A site on a PostgreSQL of its own, which writes to the disk as a real one does."""
    with running_postgres(fsync=True) as server:
        with closing(Site(fleet, provider, server.new_database())) as site:
            yield site, server
        fleet.close()  # or they would log its end


@pytest.mark.timeout(300)
def test_postgresql_may_crash(crashing, full, figures):
    """The answers meanwhile are those to what is posted once the api has noticed."""
    site, server = crashing
    provider = site.provider
    restarts = 10 if full else 2
    site.set(LEASE_SECONDS=10 if full else 3)
    api = site.api()
    workers = site.workers(2)
    answers, backs = set(), []
    with Load(api.url, per_second=200) as load:
        for _ in range(restarts):
            load.await_more(50)
            server.stop("immediate")
            until(lambda: api.status("/readyz") == 503)
            down = time.monotonic()
            until(lambda t=down: load.statuses(t).total() >= 10)
            answers |= load.statuses(down).keys()
            calls = [site.calls_by(worker) for worker in workers]
            server.start()
            up = time.monotonic()
            for worker, before in zip(workers, calls, strict=True):
                until(lambda w=worker, b=before: site.calls_by(w) > b, 60)
            backs.append(time.monotonic() - up)
    seconds = site.drain()
    outcome = site.outcome(load.submitted)
    figures(
        "postgresql stopped with -m immediate",
        restarts=restarts,
        **outcome.figures(),
        doubles_not_marked=len(provider.doubled - site.fleet.marked()),
        answers_meanwhile=answers,
        slowest_worker_back=max(backs),
        seconds_to_drain=seconds,
    )
    assert (outcome.lost, outcome.dead) == (0, 0)
    assert provider.doubled <= site.fleet.marked()
    assert answers == {503}
    assert max(backs) < 30


@pytest.fixture
def small(fleet, provider, tmp_path, full):
    """A site on a disk of 24 MiB, or 64 MiB in full: what runs limbo there, and fills the rest."""
    size, disk = (64 if full else 24) * 2**20, tmp_path / "disk"
    with small_disk(disk, size) as program:
        with closing(Site(fleet, provider, f"sqlite:///{disk}/limbo.db")) as site:
            yield site, program, partial(filled, disk, size)
        fleet.close()  # or the disk would be busy


@pytest.mark.timeout(600)
@pytest.mark.parametrize("ledger", ["none", "beside the queue"])
def test_what_a_full_disk_does_not_take_is_refused(small, ledger, full, figures):
    """No worker runs until the queue has filled the disk, and another program the rest of it.

    A ledger keeps what was sent for days, and then makes room for more within a minute.
    """
    site, program, filled_up = small
    provider = site.provider
    provider.behave = lambda _: Accept(0.01)
    site.set(LEDGER="none") if ledger == "none" else site.set(KEEP_BODIES_DAYS=1 / 86_400)
    more = 100 if full or ledger == "none" else 0
    submitted, answers, stored, back = [], Counter(), 0, []
    api = site.api(program)
    for number in range(3 if full else 1):
        with Load(api.url, message=LARGE) as load:
            until(lambda ld=load: ld.statuses()[503] >= 100, 60)
        submitted += load.submitted
        answers += load.statuses()
        stored += site.left()
        assert stored == len(submitted)
        with Load(api.url, message=LARGE) as load:
            with filled_up():
                worker = site.worker(f"w{number}", program)
                worker.wait_until_ready()
                until(lambda ld=load: ld.statuses()[503] >= 100, 60)
            began = time.monotonic()
            load.await_more(more, 150)
            back.append(time.monotonic() - began)
        site.drain()
        assert worker.terminate()[0] == 0
        submitted += load.submitted
        answers += load.statuses()
        stored += len(load.submitted)
    outcome = site.outcome(submitted)
    figures(
        f"disk full ({'tmpfs' if program is None else 'simulated'}), ledger {ledger}",
        **outcome.figures(),
        answers=dict(answers),
        sent_though_refused=len(provider.deliveries.keys() - {*submitted}),
        seconds_until_it_took_mails_again=max(back) if more else "not awaited",
    )
    assert (outcome.lost, outcome.dead, outcome.doubles) == (0, 0, 0)
    assert answers.keys() == {200, 503}
    assert provider.deliveries.keys() == {*submitted}


@pytest.mark.timeout(120)
def test_poison_is_buried_and_holds_up_nobody(each_site, full, figures):
    site = each_site
    poison, mails = (100, 900) if full else (10, 90)
    api = site.api()
    with Load(api.url, mails=mails) as load:
        for number in range(poison):
            values = {"id": f"poison-{number}", "body": POISON[number % len(POISON)]}
            site.database.execute(PLANT, values)
        load.join(60)
    site.workers(2)
    seconds = site.drain()
    outcome = site.outcome(load.submitted)
    causes = site.queue.dead_letters.causes(10)
    kinds = {cause.kind for cause, _ in causes}
    figures(
        f"poison bodies in the queue, {site.kind}",
        poison=poison,
        **outcome.figures(),
        kinds=kinds,
        seconds_to_drain=seconds,
    )
    assert (outcome.lost, outcome.dead, outcome.doubles) == (0, poison, 0)
    assert kinds == {UNDECODABLE}
    assert site.provider.deliveries.keys() == set(load.submitted)
