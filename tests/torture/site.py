"""A whole limbo on this machine, its provider included, and what became of the mails."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from limbo.adapters.sql.database import Database
from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.sqlite import SqliteDatabase
from tests.support.processes import Fleet, LimboProcess
from tests.support.working import until
from tests.torture.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the mails of which a client was told that they were submitted."""

    submitted: int
    lost: int
    dead: int
    doubles: int

    def figures(self) -> dict[str, object]:
        """Return it as figures for the table."""
        return {name: getattr(self, name) for name in self.__slots__}


class Site:
    """Processes on one queue, which send as ``mailgun.<label>`` through one provider."""

    def __init__(
        self, fleet: Fleet, provider: Provider, url: str, senders: Sequence[str] = ("eu", "us")
    ) -> None:
        self.fleet = fleet
        self.provider = provider
        self.kind = url.partition(":")[0]
        self.url = url
        self._senders = senders
        self.set(
            QUEUE=url,
            SENDERS=",".join(f"mailgun.{label}" for label in senders),
            MAILGUN_URL=provider.url,
            MAILGUN_KEY="key",
            MAILGUN_DOMAIN="nobody",
        )

    def set(self, **settings: object) -> None:
        """Set settings, without the LIMBO_ of their names, for what starts from now on."""
        self.fleet.environ |= {f"LIMBO_{name}": str(value) for name, value in settings.items()}

    def api(self, program: Sequence[str] | None = None) -> LimboProcess:
        """Start an api, and return when it answers."""
        api = self.fleet.start("api", "api", program=program)
        api.wait_until_ready()
        return api

    def worker(self, name: str = "w0", program: Sequence[str] | None = None) -> LimboProcess:
        """Start a worker, whose calls come from the domains ``<label>.<name>``."""
        domains = {f"LIMBO_MAILGUN_{s.upper()}_DOMAIN": f"{s}.{name}" for s in self._senders}
        return self.fleet.start("worker", name, domains, program=program)

    def workers(self, count: int) -> list[LimboProcess]:
        """Start some workers, and return when they all answer."""
        workers = [self.worker(f"w{number}") for number in range(count)]
        for worker in workers:
            worker.wait_until_ready()
        return workers

    def calls_by(self, worker: LimboProcess) -> int:
        """Return how many calls of the provider were that worker's."""
        return sum(self.provider.calls_of[f"{label}.{worker.name}"] for label in self._senders)

    @cached_property
    def database(self) -> Database:
        """The database, as another process would open it."""
        kind = SqliteDatabase if self.kind == "sqlite" else PostgresDatabase
        return kind.connect(self.url)

    @cached_property
    def queue(self) -> SqlQueue:
        """The queue, as another process would see it."""
        return SqlQueue(self.database)

    def left(self) -> int:
        """Return how many mails are in the queue, whatever their state."""
        depth = self.queue.depth()
        return depth.ready + depth.in_flight + depth.deferred

    def drain(self, seconds: float = 60.0) -> float:
        """Wait until the queue is empty; return how many seconds that took."""
        began = time.monotonic()
        until(lambda: self.left() == 0, seconds)
        return time.monotonic() - began

    def outcome(self, submitted: Sequence[str]) -> Outcome:
        """Account for the mails, once the queue is empty."""
        dead = {letter.mail_id for letter in self.queue.dead_letters.list(100_000)}
        return Outcome(
            submitted=len(submitted),
            lost=len(set(submitted) - dead - self.provider.deliveries.keys()),
            dead=len(dead),
            doubles=self.provider.doubles,
        )

    def close(self) -> None:
        """Close what was opened."""
        if "database" in self.__dict__:
            self.database.close()
