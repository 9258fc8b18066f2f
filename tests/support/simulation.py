"""A worker, its queue and its providers in virtual time: hours of mails in a second."""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from limbo.domain.delivery.breaker import BreakerPolicy
from limbo.domain.delivery.dispatch import Dispatcher
from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.domain.delivery.outcome import Dead, Deferred, Outcome, Sent
from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict
from limbo.domain.mail.mail import Mail
from tests.support.clock import Clock
from tests.support.mails import a_mail

OUTAGE = Failed(Fault.OUTAGE, "503 Service Unavailable")
_BLANK = a_mail()
_IDLE_SECONDS = 5.0

Fails = Callable[[int, float], bool]
"""Says whether a provider fails a call: by the number of its mail, and the time."""


@dataclass(slots=True, kw_only=True)
class Fate:
    """What became of one mail. ``settled_at`` is when it was sent or died."""

    due: float
    touches: int = 0
    evidence: Evidence = NO_EVIDENCE
    tries: int = 0
    outcome: Outcome | None = None
    settled_at: float = 0.0


class _Provider:
    def __init__(self, name: str, clock: Clock, fails: Fails, answer: Verdict) -> None:
        self.name = name
        self._clock = clock
        self._fails = fails
        self._answer = answer

    def send(self, mail: Mail) -> Verdict:
        self._clock.time += 0.02
        return self._answer if self._fails(int(mail.id), self._clock.time) else Accepted("1")

    def check(self) -> None:
        """Nothing is known against it."""


@dataclass(slots=True)
class Simulation:
    """One call at a time: what is ready comes before what was deferred, each in its order.

    ``arrivals`` are when the mails are put, in order; a mail's number is its place there.
    """

    arrivals: Sequence[float]
    providers: Sequence[Fails]
    answer: Verdict = OUTAGE
    seed: int = 7
    until: float = 24 * 3600.0
    clock: Clock = field(default_factory=lambda: Clock(0.0))
    fates: list[Fate] = field(default_factory=list)
    calls: int = 0

    def run(self) -> "Simulation":
        """Run until all mails are settled, or it is ``until``; return this."""
        dispatcher = Dispatcher(
            [
                _Provider(f"s{number}", self.clock, fails, self.answer)
                for number, fails in enumerate(self.providers)
            ],
            now=self.clock.now,
            breaker=BreakerPolicy(probe_share=1 / 8),
            rng=random.Random(self.seed),
        )
        self.fates = [Fate(due=at) for at in self.arrivals]
        fresh, deferred = 0, list[tuple[float, int]]()
        while (fresh < len(self.arrivals) or deferred) and self.clock.time < self.until:
            if dispatcher.capacity() == 0:
                self.clock.time += min(max(dispatcher.ready_in(), 0.05), 1.0)
            elif fresh < len(self.arrivals) and self.arrivals[fresh] <= self.clock.time:
                self._touch(dispatcher, fresh, deferred)
                fresh += 1
            elif deferred and deferred[0][0] <= self.clock.time:
                self._touch(dispatcher, heapq.heappop(deferred)[1], deferred)
            else:
                nearest = [*self.arrivals[fresh : fresh + 1], *[at for at, _ in deferred[:1]]]
                self.clock.time = min(*nearest, self.clock.time + _IDLE_SECONDS)
        return self

    def dead(self) -> list[int]:
        """Return the numbers of the mails that died."""
        return [n for n, fate in enumerate(self.fates) if isinstance(fate.outcome, Dead)]

    def sent(self) -> list[int]:
        """Return the numbers of the mails that were sent."""
        return [n for n, fate in enumerate(self.fates) if isinstance(fate.outcome, Sent)]

    def waits(self) -> list[float]:
        """Return how long each mail waited that was sent, in order of length."""
        return sorted(self.fates[n].settled_at - self.arrivals[n] for n in self.sent())

    def _touch(
        self, dispatcher: Dispatcher, number: int, deferred: list[tuple[float, int]]
    ) -> None:
        fate = self.fates[number]
        mail = replace(_BLANK, id=str(number))
        outcome = dispatcher.dispatch(mail, fate.touches, evidence=fate.evidence)
        self.calls += len(outcome.attempts)
        fate.tries += bool(outcome.attempts)
        if isinstance(outcome, Deferred):
            fate.touches += outcome.touched
            fate.evidence = outcome.evidence
            heapq.heappush(deferred, (self.clock.time + outcome.delay, number))
        else:
            fate.outcome, fate.settled_at = outcome, self.clock.time


def always(_: int, __: float) -> bool:
    """Fail every call."""
    return True


def never(_: int, __: float) -> bool:
    """Fail no call."""
    return False


def flaps(share: float, seed: int, poison: Sequence[int] = ()) -> Fails:
    """Return a provider that fails this share of its calls, and each of the poison mails."""
    chance, bad = random.Random(seed), {*poison}
    return lambda number, _: number in bad or chance.random() < share


def switches(down: float, up: float) -> Fails:
    """Return a provider that is down for some seconds, up for some, and so on."""
    return lambda _, at: at % (down + up) < down
