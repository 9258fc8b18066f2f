"""One touch of one mail: which providers are tried, and what follows from their answers."""

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from limbo.domain.delivery.breaker import Admission, Breaker, BreakerPolicy, BreakerState
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.outcome import Dead, Deferred, Outcome, Sent, Stopped
from limbo.domain.delivery.retry import MAX_RETRY_AFTER, RetryPolicy
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed, Fault, Verdict
from limbo.domain.mail.mail import Mail
from limbo.domain.mail.mask import mask_words
from limbo.ports.sender import Sender


class Permit(Protocol):
    """Decides before each call of a provider whether it may be made."""

    def __call__(
        self, *, sender: str, started_at: float, earlier: Sequence[Attempt]
    ) -> Stop | None:
        """Return None if it may. ``earlier`` holds the attempts of this touch so far."""
        ...


def permit_all(*, sender: str, started_at: float, earlier: Sequence[Attempt]) -> None:
    """Allow every call."""


class Dispatcher:
    """Sends a mail through the first provider that takes it.

    Thread-safe: all threads share the breakers. No lock is held during a send.
    """

    def __init__(
        self,
        senders: Sequence[Sender],
        *,
        now: Callable[[], float],
        retry: RetryPolicy | None = None,
        breaker: BreakerPolicy | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._senders = tuple(senders)
        self._now = now
        self._retry = retry or RetryPolicy()
        self._policy = breaker or BreakerPolicy()
        self._breakers = {sender.name: Breaker(self._policy) for sender in senders}
        self._failing: dict[str, set[str]] = {sender.name: set() for sender in senders}
        self._rng = rng or random.Random()  # noqa: S311 - for order and jitter, not for secrets
        self._lock = threading.Lock()

    def dispatch(self, mail: Mail, touches: int, permit: Permit = permit_all) -> Outcome:
        """Try the providers in random order until one decides the result of this touch.

        ``touches`` counts the touches before this one.
        """
        attempts: list[Attempt] = []
        probed = False
        for sender in self._rng.sample(self._senders, len(self._senders)):
            admission = self._admit(sender.name)
            if admission is None:
                continue
            started_at = self._now()
            try:
                stop = permit(sender=sender.name, started_at=started_at, earlier=attempts)
            except BaseException:
                self._withdraw(sender.name, admission)
                raise
            if stop is not None:
                self._withdraw(sender.name, admission)
                return Stopped(attempts=attempts, why=stop)
            attempt = self._attempt(sender, mail, admission, started_at)
            attempts.append(attempt)
            probed = probed or admission is Admission.PROBE
            match attempt.verdict:
                case Accepted():
                    return Sent(attempts=attempts)
                case Failed(fault=Fault.MAIL):
                    return Dead(attempts=attempts, cause=_cause(attempt))
                case Failed(fault=Fault.UNKNOWN):
                    break  # another provider might send the mail a second time
                case Failed():
                    pass
        return self._defer(attempts, touches, probed=probed)

    def capacity(self) -> int | None:
        """Return how many mails are worth receiving now, or None for any number.

        While every breaker is open, it is one for each breaker that is due for a probe.
        """
        with self._lock:
            now = self._now()
            self._shorten_pauses()
            ready = [b for b in self._breakers.values() if _is_ready(b, now)]
            if any(b.state(now) is BreakerState.CLOSED for b in ready):
                return None
            return len(ready)

    def ready_in(self) -> float:
        """Return the seconds until a provider can be called: infinite while all are probed."""
        with self._lock:
            self._shorten_pauses()
            times = [at for b in self._breakers.values() if (at := b.ready_at()) is not None]
            return max(0.0, min(times, default=float("inf")) - self._now())

    def states(self) -> Mapping[str, BreakerState]:
        """Return the state of each provider's breaker, by the sender's name."""
        with self._lock:
            now = self._now()
            return {name: breaker.state(now) for name, breaker in self._breakers.items()}

    def _admit(self, name: str) -> Admission | None:
        with self._lock:
            self._shorten_pauses()
            return self._breakers[name].admit(self._now())

    def _withdraw(self, name: str, admission: Admission) -> None:
        with self._lock:
            self._breakers[name].withdraw(admission)

    def _attempt(
        self, sender: Sender, mail: Mail, admission: Admission, started_at: float
    ) -> Attempt:
        called_at = self._now()
        error: Exception | None = None
        verdict: Verdict
        try:
            verdict = sender.send(mail)
        except Exception as raised:  # noqa: BLE001 - a bug in one sender must not lose the mail
            error = raised
            verdict = Failed(Fault.UNKNOWN, f"the sender raised {type(raised).__name__}")
        if isinstance(verdict, Failed):
            verdict = replace(
                verdict, reason=mask_words(verdict.reason, mail.fields.private_words(mail))
            )
        ended_at = self._now()
        with self._lock:
            self._breakers[sender.name].record(admission, verdict, ended_at, started_at=started_at)
            self._remember_outage(sender.name, mail.id, verdict)
        return Attempt(
            sender=sender.name,
            started_at=started_at,
            duration=max(0.0, ended_at - called_at),
            verdict=verdict,
            error=error,
        )

    def _defer(self, attempts: Sequence[Attempt], touches: int, *, probed: bool) -> Deferred | Dead:
        duplicate = any(_fault(attempt) is Fault.UNKNOWN for attempt in attempts)
        failures = [a for a in attempts if _fault(a) in (Fault.OUTAGE, Fault.UNKNOWN)]
        counts = bool(failures) and not probed and not self._is_outage(failures)
        if counts and touches + 1 >= self._retry.max_touches:
            return Dead(attempts=attempts, cause=_cause(failures[-1]), possible_duplicate=duplicate)
        jitter = self._rng.uniform(0.5, 1.0)
        if counts:
            delay = self._retry.delay(touches + 1, attempts, jitter)
        else:
            pause = min(self.ready_in(), self._retry.delays[0])
            pause = max(pause, self._retry.asked(attempts))
            delay = min(pause + self._retry.delays[0] * (jitter - 0.5), MAX_RETRY_AFTER)
        return Deferred(
            attempts=attempts, delay=delay, touched=counts, possible_duplicate=duplicate
        )

    def _remember_outage(self, sender: str, mail_id: str, verdict: Verdict) -> None:
        """Remember which mails met an outage since the provider last worked. Two are enough."""
        match verdict:
            case Accepted() | Failed(fault=Fault.MAIL):
                self._failing[sender].clear()
            case Failed(fault=Fault.OUTAGE) if len(self._failing[sender]) <= 1:
                self._failing[sender].add(mail_id)
            case _:
                pass

    def _is_outage(self, failures: Sequence[Attempt]) -> bool:
        """Tell whether this provider fails for other mails too, and lets none through.

        A breaker needs ten outcomes to open. Where mails are few, an outage could bury a mail
        before that.
        """
        with self._lock:
            return all(
                _fault(attempt) is Fault.OUTAGE and len(self._failing[attempt.sender]) > 1
                for attempt in failures
            )

    def _shorten_pauses(self) -> None:
        """Test sooner whether a provider is back when all of them are down."""
        now = self._now()
        if all(
            breaker.state(now) is not BreakerState.CLOSED for breaker in self._breakers.values()
        ):
            for breaker in self._breakers.values():
                breaker.shorten_pause(2 * self._policy.open_seconds)


def _is_ready(breaker: Breaker, now: float) -> bool:
    at = breaker.ready_at()
    return at is not None and at <= now


def _fault(attempt: Attempt) -> Fault | None:
    return attempt.verdict.fault if isinstance(attempt.verdict, Failed) else None


def _cause(attempt: Attempt) -> Cause:
    match attempt.verdict:
        case Failed(fault=fault, reason=reason):
            return Cause(kind=fault, sender=attempt.sender, reason=reason)
        case Accepted():  # pragma: no cover - an accepted mail has no cause of death
            raise AssertionError(attempt)
