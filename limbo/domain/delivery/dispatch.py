"""One touch of one mail: which providers are tried, and what follows from their answers."""

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from limbo.domain.delivery.breaker import Admission, BreakerPolicy, BreakerState
from limbo.domain.delivery.breakers import Breakers
from limbo.domain.delivery.calling import call
from limbo.domain.delivery.deferral import (
    FailedTouch,
    cause_of,
    fault_of,
    let_another_probe,
    what_next,
)
from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence, TrackRecord
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.outcome import Dead, Deferred, Outcome, Sent, Stopped
from limbo.domain.delivery.retry import RetryPolicy
from limbo.domain.delivery.verdict import Accepted, Attempt, Failed, Fault
from limbo.domain.mail.mail import Mail
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

    Thread-safe: all threads share the breakers and the track record. No lock is held in a send.
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
        names = [sender.name for sender in senders]
        policy = breaker or BreakerPolicy()
        self._rng = rng or random.Random()  # noqa: S311 - for order and jitter, not for secrets
        self._breakers = Breakers(names, policy=policy, now=now, jitter=self._jitter)
        self._probe_share = policy.probe_share
        self._record = TrackRecord(names)
        self._lock = threading.Lock()

    def dispatch(
        self,
        mail: Mail,
        touches: int,
        permit: Permit = permit_all,
        evidence: Evidence = NO_EVIDENCE,
    ) -> Outcome:
        """Try the providers in random order until one decides the result of this touch.

        ``touches`` counts the touches before this one, and ``evidence`` is what they have said.
        """
        if self._is_left_out():
            return let_another_probe(evidence, self._jitter())
        attempts: list[Attempt] = []
        probed = False
        for sender in self._rng.sample(self._senders, len(self._senders)):
            admission = self._breakers.admit(sender.name)
            if admission is None:
                continue
            started_at = self._now()
            try:
                stop = permit(sender=sender.name, started_at=started_at, earlier=attempts)
            except BaseException:
                self._breakers.withdraw(sender.name, admission)
                raise
            if stop is not None:
                self._breakers.withdraw(sender.name, admission)
                return Stopped(attempts=attempts, why=stop)
            attempt = call(sender.name, sender.send, mail, started_at=started_at, now=self._now)
            self._note(attempt, mail, admission, evidence)
            attempts.append(attempt)
            probed = probed or admission is Admission.PROBE
            match attempt.verdict:
                case Accepted():
                    self._note_touch(mail, evidence, failed=False)
                    return Sent(attempts=attempts)
                case Failed(fault=Fault.MAIL):
                    self._note_touch(mail, evidence, failed=False)
                    return Dead(attempts=attempts, cause=cause_of(attempt))
                case Failed(fault=Fault.UNKNOWN):
                    break  # another provider might send the mail a second time
                case Failed():
                    pass
        return self._give_up(mail, attempts, touches, evidence, probed=probed)

    def _jitter(self) -> float:
        return self._rng.uniform(0.5, 1.0)

    def _is_left_out(self) -> bool:
        """Draw lots who is the probe while every provider is down.

        Else a queue headed by mails that no provider takes would hold up all behind them.
        """
        if self._probe_share >= 1 or not self._breakers.all_are_down():
            return False
        return bool(self._breakers.capacity()) and self._rng.random() >= self._probe_share

    def capacity(self) -> int | None:
        """Return how many mails are worth receiving now, or None for any number.

        While every breaker is open, it is one for each breaker that is due for a probe.
        """
        return self._breakers.capacity()

    def ready_in(self) -> float:
        """Return the seconds until a provider can be called: infinite while all are probed."""
        return self._breakers.ready_in()

    def states(self) -> Mapping[str, BreakerState]:
        """Return the state of each provider's breaker, by the sender's name."""
        return self._breakers.states()

    def opened_by(self) -> Mapping[str, Failed]:
        """Return the last answer that opened a provider's breaker, by the sender's name."""
        return self._breakers.opened_by()

    def _note(self, attempt: Attempt, mail: Mail, admission: Admission, evidence: Evidence) -> None:
        """Let breaker and record know; a throttle, a key and an address say nothing of failures."""
        self._breakers.record(
            attempt.sender,
            admission,
            attempt.verdict,
            started_at=attempt.started_at,
            suspect=evidence.is_suspect,
        )
        fault = fault_of(attempt)
        if fault in (None, Fault.MAIL, Fault.OUTAGE, Fault.UNKNOWN):
            failed = fault in (Fault.OUTAGE, Fault.UNKNOWN)
            with self._lock:
                self._record.note_call(
                    attempt.sender, mail.id, failed=failed, weight=evidence.weight, at=self._now()
                )

    def _note_touch(self, mail: Mail, evidence: Evidence, *, failed: bool) -> None:
        with self._lock:
            self._record.note_touch(mail.id, failed=failed, weight=evidence.weight, at=self._now())

    def _give_up(
        self,
        mail: Mail,
        attempts: Sequence[Attempt],
        touches: int,
        evidence: Evidence,
        *,
        probed: bool,
    ) -> Deferred | Dead:
        now = self._now()
        failed_at = [a.sender for a in attempts if fault_of(a) in (Fault.OUTAGE, Fault.UNKNOWN)]
        log_likelihood = 0.0
        if failed_at:
            with self._lock:
                log_likelihood = self._record.log_likelihood(mail.id, failed_at, now)
            self._note_touch(mail, evidence, failed=True)
        touch = FailedTouch(
            attempts=attempts,
            touches=touches,
            evidence=evidence,
            log_likelihood=log_likelihood,
            probed=probed,
            at=now,
            ready_in=self.ready_in(),
        )
        return what_next(touch, self._retry, self._jitter())
