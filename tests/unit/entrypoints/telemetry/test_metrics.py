import threading
import time

import pytest
from structlog.testing import capture_logs

from limbo.domain.delivery.breaker import BreakerState
from limbo.domain.errors import QueueUnavailable
from limbo.entrypoints.telemetry.collectors import QueueCollector
from limbo.entrypoints.telemetry.metrics import Metrics
from tests.support.http_app import ScriptedDepth


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
            ["limbo_queue_messages", "limbo_queue_oldest_age_seconds", "limbo_dead_letters"],
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


def test_the_queue_is_asked_once_in_five_seconds(scraped):
    for after, asked in ((0, 1), (4, 1), (1, 2), (4.9, 2), (60, 3)):
        scraped.time += after
        assert scraped.scrape()[0]
        scraped.settle()
        assert scraped.queue.asked == asked


def test_a_scrape_after_a_long_while_shows_no_old_depth_and_waits_for_a_new_one(scraped):
    scraped.scrape()
    scraped.time += 3600
    assert scraped.scrape()[0]
    assert scraped.queue.asked == 2


def test_a_queue_that_hangs_is_asked_once_and_its_last_depth_shown_for_a_minute(scraped):
    scraped.scrape()
    scraped.queue.gate.clear()
    for after, shown in ((10, True), (49, True), (1, False), (600, False)):
        scraped.time += after
        found, seconds = scraped.scrape()
        assert found is shown
        assert seconds < 15
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
