import itertools
import threading
import time

import pytest
from structlog.testing import capture_logs

from limbo.adapters.memory.queue import MemoryQueue
from limbo.domain.delivery.breaker import BreakerState
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.verdict import UNDECODABLE, Fault
from limbo.domain.errors import QueueUnavailable
from limbo.entrypoints.http.api.hosts import HostPolicy
from limbo.entrypoints.http.api.operations import OPERATIONS
from limbo.entrypoints.http.probe_app import create_probe_app
from limbo.entrypoints.telemetry.collectors import QueueCollector
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.entrypoints.worker.report import WorkerReport
from limbo.ports.queue import ANY_KIND
from tests.support.http_app import HttpApp, ScriptedDepth
from tests.support.mails import a_mail


class Scraped:
    """A collector of a scripted queue, whose clock goes only where a test moves it."""

    def __init__(self, patience):
        self.queue = ScriptedDepth()
        self.time = 1000.0
        self._collector = QueueCollector(self.queue, now=lambda: self.time, patience=patience)

    def scrape(self):
        """Return whether the depth was shown, and how many seconds that took."""
        started = time.monotonic()
        shown = [family.name for family in self._collector.collect()]
        assert shown in (
            [],
            [
                "limbo_queue_messages",
                "limbo_queue_messages_estimated",
                "limbo_queue_oldest_age_seconds",
                "limbo_dead_letters",
            ],
        )
        return bool(shown), time.monotonic() - started

    def settle(self):
        """Wait until the queue is not being asked."""
        for thread in threading.enumerate():
            if thread.name == "depth":
                thread.join(10)


@pytest.fixture
def patience():
    """So much that nobody shows it all: neither an answer is late, nor a wait for none short."""
    return 30


@pytest.fixture
def scraped(patience):
    made = Scraped(patience)
    yield made
    made.queue.gate.set()
    made.settle()


def test_the_first_scrape_shows_the_depth(scraped):
    assert scraped.scrape()[0]


def test_the_queue_is_asked_once_a_second(scraped):
    for after, asked in ((0, 1), (0.9, 1), (0.2, 2), (0.5, 2), (60, 3)):
        scraped.time += after
        assert scraped.scrape()[0]
        scraped.settle()
        assert scraped.queue.asked == asked


def test_a_scrape_shows_what_is_true_now():
    queue, metrics = MemoryQueue(), Metrics()
    metrics.watch_queue(queue, now=itertools.count(step=15).__next__)
    for ready in (1, 2, 3):
        queue.put([a_mail()])
        assert f'limbo_queue_messages{{state="ready"}} {ready}.0' in metrics.render().decode()


def test_a_scrape_after_a_long_while_shows_no_old_depth_and_waits_for_a_new_one(scraped):
    scraped.scrape()
    scraped.time += 3600
    assert scraped.scrape()[0]
    assert scraped.queue.asked == 2


@pytest.mark.parametrize("patience", [0.5])
def test_a_queue_that_hangs_is_asked_once_and_its_last_depth_shown_for_a_minute(scraped):
    scraped.scrape()
    scraped.settle()
    scraped.scrape()
    scraped.queue.gate.clear()
    waited = []
    for after, shown in ((10, True), (49, True), (1, False), (600, False)):
        scraped.time += after
        found, seconds = scraped.scrape()
        assert found is shown
        waited.append(seconds)
    assert waited[0] > 0.4  # the first alone waits
    assert min(waited[1:]) < 0.4
    assert scraped.queue.asked == 2
    scraped.queue.gate.set()
    scraped.settle()
    assert scraped.scrape()[0]


@pytest.mark.parametrize("patience", [0.5])
def test_only_the_first_scrape_waits_for_a_queue_that_hangs_from_the_start(scraped):
    scraped.queue.gate.clear()
    found, seconds = scraped.scrape()
    assert not found
    assert 0.4 < seconds < 15
    scraped.time += 60
    scrapes = [scraped.scrape() for _ in range(10)]
    assert not any(found for found, _ in scrapes)
    assert min(seconds for _, seconds in scrapes) < 0.4  # any may be late, but not all


@pytest.mark.parametrize("error", [QueueUnavailable("bob@example.org"), KeyError("x")])
def test_a_queue_that_fails_is_asked_again_and_never_waited_for(scraped, error):
    def fail():
        scraped.queue.gate.wait(30)
        raise error

    depth, scraped.queue.depth = scraped.queue.depth, fail
    with capture_logs() as logs:
        assert not scraped.scrape()[0]
        scraped.queue.gate.clear()
        scraped.time += 10
        found, seconds = scraped.scrape()
        assert not found
        assert seconds < 15
        scraped.queue.gate.set()
        scraped.settle()
    assert len(logs) == (2 if isinstance(error, KeyError) else 0)  # a defect of ours is logged
    scraped.queue.depth = depth
    scraped.time += 10
    scraped.scrape()
    scraped.settle()
    assert scraped.scrape()[0]


def test_all_but_the_queue_is_shown_while_the_queue_is_down():
    metrics, queue = Metrics(), ScriptedDepth()
    queue.up = False
    metrics.watch_queue(queue)
    metrics.watch_breakers(lambda: {"ses": BreakerState.OPEN})
    metrics.mails_settled.labels("sent").inc()
    text = metrics.render()
    assert b'limbo_breaker_state{sender="ses"} 2.0' in text
    assert b'limbo_mails_settled_total{outcome="sent"} 1.0' in text
    assert b"limbo_queue_messages" not in text


def samples(metrics):
    return dict(line.rsplit(" ", 1) for line in metrics.render().decode().splitlines())


def test_each_outcome_of_a_worker_starts_at_0():
    metrics = Metrics()
    WorkerReport(metrics, lambda: 0.0)
    metrics.watch_breakers(lambda: dict.fromkeys(["ses", "mailgun"], BreakerState.CLOSED))
    shown = samples(metrics)
    for sender in ("ses", "mailgun"):
        for outcome in ("accepted", *Fault):
            name = f'limbo_send_attempts_total{{outcome="{outcome}",sender="{sender}"}}'
            assert shown[name] == "0.0"
        assert shown[f'limbo_send_duration_seconds_count{{sender="{sender}"}}'] == "0.0"
    stops = [stop.value for stop in Stop if stop is not Stop.SHUTDOWN]
    for outcome in ("sent", "deferred", "dead", *stops):
        assert shown[f'limbo_mails_settled_total{{outcome="{outcome}"}}'] == "0.0"


def test_each_kind_of_dead_letters_starts_at_0_where_they_can_be_told_apart():
    metrics = Metrics()
    metrics.watch_queue(MemoryQueue())
    for kind in (*Fault, UNDECODABLE):
        assert samples(metrics)[f'limbo_dead_letters{{cause="{kind}"}}'] == "0.0"
    blind, queue = Metrics(), ScriptedDepth()
    queue.dead = {ANY_KIND: 3}
    blind.watch_queue(queue)
    assert [n for n in samples(blind) if n.startswith("limbo_dead")] == [
        'limbo_dead_letters{cause="any"}'
    ]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_each_answer_of_an_operation_starts_at_0(operation):
    shown = samples(HttpApp().metrics)
    for status in (200, 499, *map(int, operation.failures)):
        labels = f'method="{operation.method}",route="{operation.path}",status="{status}"'
        assert shown[f"limbo_http_requests_total{{{labels}}}"] == "0.0"
    labels = f'method="PUT",route="{operation.path}",status="405"'
    assert shown[f"limbo_http_requests_total{{{labels}}}"] == "0.0"


def test_what_is_asked_of_an_application_was_expected_of_it():
    site = HttpApp(hosts=HostPolicy(listens_on="0.0.0.0", allowed=["testserver"]))
    before = {*samples(site.metrics)}
    for method, path in (
        ("GET", "/livez"),
        ("HEAD", "/readyz"),
        ("GET", "/none"),
        ("PUT", "/v1/mail"),
        ("POST", "/v1/mail"),
        ("GET", "/v1/mail/nothing"),
        ("DELETE", "/v1/dead-letters"),
        ("BREW", "/v1/mail"),
        ("BREW", "/none"),
    ):
        site.ask(method, path)
    site.ask("POST", "/v1/mail", headers={"Origin": "https://elsewhere.example"})
    site.ask("GET", "/livez", headers={"Host": "elsewhere.example"})
    shown = samples(site.metrics)
    for method, status in (("POST", 403), ("GET", 421)):
        labels = f'method="{method}",route="other",status="{status}"'
        assert shown[f"limbo_http_requests_total{{{labels}}}"] == "1.0"
    assert {name for name in shown if "requests_total" in name} <= before


def test_a_worker_s_application_expects_its_own_requests_alone():
    metrics = Metrics()
    create_probe_app(queue=ScriptedDepth(), metrics=metrics, hosts=HostPolicy(listens_on="0.0.0.0"))
    routes = {
        name.split('route="')[1].split('"')[0] for name in samples(metrics) if "route" in name
    }
    assert routes == {"/health", "/livez", "/readyz", "/metrics", "other"}
