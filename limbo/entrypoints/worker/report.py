"""Logs and counts what a worker did; the domain does neither."""

import threading
from collections.abc import Callable, Mapping
from typing import assert_never

import structlog

from limbo.domain.delivery.breaker import BreakerState
from limbo.domain.delivery.dispatch import Dead, Deferred, Outcome, Sent, Stopped
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed, Fault
from limbo.domain.mail.mail import Mail
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.queue import Lease

_MARKED = {"possible_duplicate": True}
_log = structlog.get_logger()


class WorkerReport:
    """One line of log and one count for each thing that happened to a mail."""

    def __init__(self, metrics: Metrics, now: Callable[[], float]) -> None:
        self._metrics = metrics
        self._now = now
        self._lock = threading.Lock()
        self._states: Mapping[str, BreakerState] = {}

    def touched(
        self, mail: Mail, lease: Lease, outcome: Outcome, states: Mapping[str, BreakerState]
    ) -> None:
        """Record one touch: its attempts, what follows, and breakers that changed with it.

        ``lease`` is as it is settled: with this touch counted, and marked if it has to be.
        """
        log = _log.bind(mail_id=mail.id)
        for attempt in outcome.attempts:
            self._attempt(log, attempt)
        match outcome:
            case Sent():
                self._sent(log, mail, lease, outcome)
            case Deferred(delay=delay):
                self._metrics.mails_settled.labels("retry").inc()
                log.info(
                    "mail deferred", touches=lease.touches, retry_in=round(delay, 1), **_mark(lease)
                )
            case Dead(cause=cause):
                self.dead(mail.id, cause, possible_duplicate=lease.possible_duplicate)
            case Stopped(why=why):
                self._metrics.mails_settled.labels(why.value).inc()
                tell = log.info if why is Stop.CANCELLED else log.warning
                tell("touch stopped", why=why.value, **_mark(lease))
            case _:
                assert_never(outcome)
        self._breakers(states)

    def dead(self, mail_id: str, cause: Cause, *, possible_duplicate: bool) -> None:
        """Record that a mail goes to the dead letters."""
        self._metrics.mails_settled.labels("dead").inc()
        _log.error(
            "mail dead",
            mail_id=mail_id,
            cause=cause.kind,
            sender=cause.sender,
            reason=cause.reason,
            **_MARKED if possible_duplicate else {},
        )

    def newer(self, mail: Mail) -> None:
        """Record that a mail is left for a newer worker."""
        self._metrics.mails_settled.labels("newer").inc()
        _log.warning("mail of a newer limbo left; update this worker", mail_id=mail.id)

    def _attempt(self, log: structlog.typing.FilteringBoundLogger, attempt: Attempt) -> None:
        self._metrics.send_duration.labels(attempt.sender).observe(attempt.duration)
        match attempt.verdict:
            case Accepted():
                self._metrics.send_attempts.labels(attempt.sender, "accepted").inc()
            case Failed(fault=fault, reason=reason):
                self._metrics.send_attempts.labels(attempt.sender, fault.value).inc()
                tell = log.error if fault is Fault.ACCOUNT or attempt.error else log.warning
                tell(
                    "provider failed",
                    sender=attempt.sender,
                    fault=fault.value,
                    reason=reason,
                    exc_info=attempt.error,
                )
            case _:
                assert_never(attempt.verdict)

    def _sent(
        self, log: structlog.typing.FilteringBoundLogger, mail: Mail, lease: Lease, outcome: Sent
    ) -> None:
        latency = max(0.0, self._now() - mail.submitted_at)
        self._metrics.mails_settled.labels("sent").inc()
        self._metrics.delivery_latency.observe(latency)
        last = outcome.attempts[-1]
        log.info(
            "mail sent",
            sender=last.sender,
            attempts=len(outcome.attempts),
            touches=lease.touches + 1,
            seconds=round(latency, 3),
            **_mark(lease),
        )

    def _breakers(self, states: Mapping[str, BreakerState]) -> None:
        with self._lock:
            before, self._states = self._states, states
        for sender, state in states.items():
            was = before.get(sender, BreakerState.CLOSED)
            if state is BreakerState.OPEN and was is not BreakerState.OPEN:
                _log.error("breaker open", sender=sender)
            elif state is BreakerState.CLOSED and was is not BreakerState.CLOSED:
                _log.info("breaker closed", sender=sender)


def _mark(lease: Lease) -> dict[str, bool]:
    return _MARKED if lease.possible_duplicate else {}
