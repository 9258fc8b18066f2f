"""Noisy neighbours: one bad client beside a good one, on a real api and worker over SQLite."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, contextmanager

import pytest

from tests.support.forked import ROOT
from tests.support.processes import LIMBO
from tests.support.server import Connection
from tests.support.working import until
from tests.torture.attacks import ATTACKS, Target
from tests.torture.neighbour import Neighbour, p99
from tests.torture.provider import Accept, Refuse

REPLIES = {"no": Refuse(400), "later": Refuse(503)}
LARGE = "m" * 500_000
COPY = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
    INSERT INTO {table} ({columns}) SELECT {values} FROM n, (SELECT * FROM {table} LIMIT 1) AS old
"""
NEW_ID = "printf('01000000-0000-7000-8000-%012x', n.i)"


class Town:
    """An api, a worker, and the keys of two clients; the provider refuses some subjects."""

    def __init__(self, site):
        site.provider.behave = lambda call: REPLIES.get(call.subject, Accept())
        site.set(ALLOW_ANONYMOUS="false")
        self._site = site
        self.bad, self.good = (new_key(site, name) for name in ("bad", "good"))
        self.api = site.api()
        (self.worker,) = site.workers(1)

    def post(self, **fields):
        """Post a mail as the bad client; return its id."""
        request = Target(self.api.port, self.bad, "").mail(**fields)
        with closing(Connection(("127.0.0.1", self.api.port))) as connection:
            return connection.send(request).answer()[1]["location"].rpartition("/")[2]

    def copy(self, table, count):
        """Copy a row of the bad client's so many times, under new ids."""
        with closing(sqlite3.connect(self._site.url.removeprefix("sqlite:///"))) as database:
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            values = [NEW_ID if name in ("id", "mail_id") else f"old.{name}" for name in columns]
            names = {"columns": ", ".join(columns), "values": ", ".join(values)}
            database.execute(COPY.format(count=count, table=table, **names))
            database.commit()

    def resident_bytes(self):
        return self.api.resident_bytes() + self.worker.resident_bytes()

    @contextmanager
    def attacked(self, name, mail_id):
        words = (sys.executable, "-m", "tests.torture.attacks")
        what = (name, str(self.api.port), self.bad, mail_id)
        with subprocess.Popen([*words, *what], cwd=ROOT) as attack:
            try:
                yield
                assert attack.poll() is None, "the attack has ended by itself"
            finally:
                attack.kill()


def new_key(site, name):
    """Make a key of a client of that name."""
    command(site, "migrate")
    words = ("--name", name, "--scope", "send,read,admin", "--from", "*")
    return command(site, "keys", "create", *words)


def command(site, *words):
    """Run a command; nothing but the settings of the site is in its environment."""
    environ = site.fleet.environ
    run = subprocess.run([*LIMBO, *words], env=environ, capture_output=True, check=True, timeout=60)
    return run.stdout.decode().strip()


def a_mail_that_waits(town, _):
    return town.post(subject="later", message=LARGE)


def many_mails(town, count):
    mail_id = town.post(to="many@example.com")
    town.copy("limbo_mails", count)
    town.copy("limbo_recipients", count)
    return mail_id


def large_dead_letters(town, count):
    mail_id = town.post(subject="no", message=LARGE)
    until(lambda: town.worker.metric('limbo_mails_settled_total{outcome="dead"}'))
    town.copy("limbo_dead_letters", count // 1000)
    return mail_id


BEFORE: dict[str, Callable[[Town, int], str]] = {
    "B6": a_mail_that_waits,
    "B7": many_mails,
    "B9": large_dead_letters,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_bad_client_slows_nobody_else(site, name, full, figures):
    """How long the good one waits is asserted in full alone: a stall of the machine is no fault."""
    town = Town(site)
    prepare = BEFORE.get(name.partition(" ")[0], lambda *_: "-")
    mail_id = prepare(town, 500_000 if full else 20_000)
    quiet = Neighbour(town.api.port, town.good).run_for(4 if full else 1)
    before = town.resident_bytes()
    with town.attacked(name, mail_id):
        time.sleep(1)
        noisy = Neighbour(town.api.port, town.good).run_for(8 if full else 2)
        most = town.resident_bytes()
    ended = time.monotonic()
    figures(
        name,
        statuses=dict(noisy.statuses),
        post_p99_ms=f"{p99(quiet.posts):.0f} → {p99(noisy.posts):.0f}",
        read_p99_ms=f"{p99(quiet.reads):.0f} → {p99(noisy.reads):.0f}",
        MiB=f"{before >> 20} → {most >> 20}",
    )
    assert noisy.statuses.keys() == {200}
    if full or not name.startswith("B3 "):  # a worker may keep some of hundreds of megabytes yet
        until(lambda: town.resident_bytes() < 1.2 * before)
        back = time.monotonic() - ended
        figures(f"{name.partition(' ')[0]}, memory", seconds_until_it_is_back=back)
    if full:
        assert p99(noisy.posts) < max(100, 2 * p99(quiet.posts))
        assert p99(noisy.reads) < max(100, 2 * p99(quiet.reads))
