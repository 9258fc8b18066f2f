"""The circuit breaker of one provider: a pure state machine that reads no clock itself."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import assert_never

from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens, and for how many seconds."""

    window: int = 20
    minimum: int = 10
    failure_ratio: float = 0.5
    open_seconds: float = 30.0
    open_max_seconds: float = 300.0
    rate_seconds: float = 5.0
    """The pause after a throttle, when the provider does not say how long to wait."""
    down_ratio: float = 0.9
    """A provider is down when this share of its last ``minimum`` calls failed."""
    partly_share: float = 0.01
    """The pause of a provider that fails, but is not down, as a share of ``open_seconds``."""
    probe_share: float = 1.0
    """The share of mails that may be a probe while every provider is down."""


class BreakerState(StrEnum):
    """The three states of the circuit breaker pattern, by their usual names."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Admission(Enum):
    """Whether an admitted call is a normal call, or the only one while the breaker is half open."""

    NORMAL = "normal"
    PROBE = "probe"
    """It asks whether a provider that was down is back."""
    TRIAL = "trial"
    """It goes to a provider that fails, but takes some mails."""


class Breaker:
    """Stops calls to a provider that fails, and tests with one call at a time whether it is back.

    A breaker has no lock. Its callers must not call it from two threads at once.
    """

    def __init__(
        self, policy: BreakerPolicy | None = None, jitter: Callable[[], float] = lambda: 1.0
    ) -> None:
        """``jitter`` returns how much of a shortened pause remains, drawn for each pause."""
        self._policy = policy or BreakerPolicy()
        self._jitter = jitter
        self._remains = 1.0
        self._outcomes: deque[bool] = deque(maxlen=self._policy.window)
        self._latest: deque[bool] = deque(maxlen=self._policy.minimum)  # probes included
        self._tripped = False
        self._open_for = 0.0
        self._opened_at = 0.0
        self._until = 0.0
        self._closed_at = -math.inf
        self._probing = False
        self._by_outage = False
        self._partly = False
        self.opened_by: Failed | None = None
        """The answer that opened it last."""

    def state(self, now: float) -> BreakerState:
        """Return the state. In half open, the next call, or the one under way, is a probe."""
        if not self._tripped:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._until else BreakerState.HALF_OPEN

    @property
    def is_down(self) -> bool:
        """Tell whether it has opened for a provider that takes hardly any mail."""
        return self._tripped and not self._partly

    def ready_at(self) -> float | None:
        """Return when the next call may start, or None while a probe is under way."""
        return None if self._probing else self._until

    def admit(self, now: float) -> Admission | None:
        """Decide if a call may start. Each admission ends in one ``record`` or ``withdraw``."""
        if self._probing or now < self._until:
            return None
        if not self._tripped:
            return Admission.NORMAL
        self._probing = True
        return Admission.TRIAL if self._partly else Admission.PROBE

    def withdraw(self, admission: Admission) -> None:
        """Take back an admission whose call was not made."""
        if admission is not Admission.NORMAL:
            self._probing = False

    def record(
        self,
        admission: Admission,
        verdict: Verdict,
        now: float,
        *,
        started_at: float | None = None,
        suspect: bool = False,
    ) -> None:
        """Record the result of an admitted call. It started at ``started_at``, or just now.

        The failure of a ``suspect``, a mail that fails where others pass, opens no breaker, and
        makes no pause longer.
        """
        if not self._is_news(admission, now if started_at is None else started_at):
            return
        match verdict:
            case Accepted() | Failed(fault=Fault.MAIL):
                if admission is not Admission.NORMAL:
                    self._close(now)
                self._outcomes.append(True)
                self._latest.append(True)
            case Failed(fault=Fault.RATE):
                self._cool_down(admission, verdict, now)
            case Failed(fault=Fault.ACCOUNT):
                self._open(verdict, now, self._policy.open_max_seconds, by_outage=False)
            case Failed(fault=Fault.IDENTITY):
                pass  # other mails pass: it is no news about the provider
            case Failed(fault=Fault.OUTAGE | Fault.UNKNOWN):
                self._fail(admission, verdict, now, suspect=suspect)
            case Failed():  # pragma: no cover - the cases above cover every fault
                raise AssertionError(verdict.fault)
            case _:
                assert_never(verdict)

    def shorten_pause(self, seconds: float) -> None:
        """Shorten the pause of an open breaker to this many seconds at most, from its opening.

        Use it when every provider is down: no other provider can carry the mail, so a pause of
        minutes only delays the recovery. An ``ACCOUNT`` pause stays, because waiting does not
        repair a credential. The pauses differ, or they might keep step with a provider that comes
        and goes, and find it down each time.
        """
        if self._tripped and not self._probing and self._by_outage:
            self._until = min(self._until, self._opened_at + seconds * self._remains)

    def _is_news(self, admission: Admission, started_at: float) -> bool:
        """End a probe. A call that started before the breaker opened says nothing new."""
        if admission is not Admission.NORMAL:
            self._probing = False
            return True
        return not self._tripped and started_at >= self._closed_at

    def _close(self, now: float) -> None:
        self._tripped = False
        self._latest.clear()
        self._closed_at = now

    def _cool_down(self, admission: Admission, verdict: Failed, now: float) -> None:
        """Pause as asked: the provider is up. Where it asks for too long, probe it by then."""
        asked = verdict.retry_after
        pause = self._policy.rate_seconds if asked is None else asked
        if pause > self._policy.open_max_seconds:
            self._open(verdict, now, self._policy.open_max_seconds, by_outage=False)
            return
        if admission is not Admission.NORMAL:
            self._close(now)
        self._until = max(self._until, now + pause)

    def _fail(self, admission: Admission, verdict: Failed, now: float, *, suspect: bool) -> None:
        alone = admission is not Admission.NORMAL
        if not suspect:
            self._latest.append(False)
        if alone and (suspect or self._takes_some()):
            self._open(verdict, now, self._open_for, partly=self._partly)
        elif alone:
            pause = max(self._policy.open_seconds, 2 * self._open_for)
            self._open(verdict, now, min(pause, self._policy.open_max_seconds))
        elif not suspect:
            self._outcomes.append(False)
            failures = self._outcomes.count(False)
            enough = len(self._outcomes) >= self._policy.minimum
            if enough and failures >= len(self._outcomes) * self._policy.failure_ratio:
                self._begin_pause(verdict, now)

    def _begin_pause(self, verdict: Failed, now: float) -> None:
        """Pause for the first time, and hardly if the provider takes some mails.

        A pause is to spare a provider calls in vain, and not to keep from it what it would take.
        """
        partly = self._takes_some()
        share = self._policy.partly_share if partly else 1.0
        self._open(verdict, now, self._policy.open_seconds * share, partly=partly)

    def _takes_some(self) -> bool:
        return self._latest.count(False) < self._policy.down_ratio * len(self._latest)

    def _open(
        self,
        verdict: Failed,
        now: float,
        seconds: float,
        *,
        by_outage: bool = True,
        partly: bool = False,
    ) -> None:
        self._tripped = True
        self._outcomes.clear()
        self._open_for = seconds
        self._by_outage = by_outage
        self._partly = partly
        self.opened_by = verdict
        self._opened_at = now
        self._until = now + seconds
        self._remains = self._jitter()
