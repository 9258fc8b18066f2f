"""Logs and counts what a worker does, as the domain does neither."""

import threading
from collections.abc import Callable, Mapping
from typing import assert_never

import structlog

from limbo.domain.delivery.breaker import BreakerState
from limbo.domain.delivery.lifecycle import Stop
from limbo.domain.delivery.outcome import Dead, Deferred, Outcome, Sent, Stopped
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed, Fault
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.queue import Lease, Undecodable

_Log = structlog.typing.FilteringBoundLogger
_NOTHING: Mapping[str, Failed] = {}
_log = structlog.get_logger()
_SETTLED = (
    "sent",
    "deferred",
    "dead",
    *(why.value for why in Stop if why is not Stop.SHUTDOWN),
)


class WorkerReport:
    """Writes one log line and counts one metric for each thing that happens to a mail."""

    def __init__(self, metrics: Metrics, now: Callable[[], float]) -> None:
        self._metrics = metrics
        self._now = now
        self._lock = threading.Lock()
        self._states: Mapping[str, BreakerState] = {}
        for outcome in _SETTLED:
            metrics.mails_settled.labels(outcome)

    def touched(
        self,
        lease: Lease,
        outcome: Outcome,
        states: Mapping[str, BreakerState],
        opened_by: Mapping[str, Failed] = _NOTHING,
    ) -> None:
        """Report one touch: its attempts, its outcome, and the breakers that changed with it.

        ``lease`` is the lease as it was settled, with this touch counted and duplicates marked.
        ``opened_by`` has the answer that opened a breaker, by the sender's name.
        """
        log = _log.bind(mail_id=lease.mail.id)
        for attempt in outcome.attempts:
            self._attempt(log, attempt)
        match outcome:
            case Sent():
                self._sent(log, lease, outcome)
            case Deferred(delay=delay):
                self._metrics.mails_settled.labels("deferred").inc()
                log.info(
                    "mail deferred", touches=lease.touches, retry_in=round(delay, 1), **_mark(lease)
                )
            case Dead(cause=cause):
                self._dead(log, lease, cause)
            case Stopped(why=why):
                self._stopped(log, lease, why)
            case _:
                assert_never(outcome)
        self._breakers(states, opened_by)

    def _attempt(self, log: _Log, attempt: Attempt) -> None:
        self._metrics.send_duration.labels(attempt.sender).observe(attempt.duration)
        match attempt.verdict:
            case Accepted():
                self._metrics.send_attempts.labels(attempt.sender, "accepted").inc()
            case Failed(fault=fault, reason=reason, retry_after=asked):
                self._metrics.send_attempts.labels(attempt.sender, fault.value).inc()
                tell = log.error if fault is Fault.ACCOUNT or attempt.error else log.warning
                tell(
                    "provider failed",
                    sender=attempt.sender,
                    fault=fault.value,
                    reason=reason,
                    exc_info=attempt.error,
                    **({} if asked is None else {"retry_after": asked}),
                )
            case _:
                assert_never(attempt.verdict)

    def _sent(self, log: _Log, lease: Lease, outcome: Sent) -> None:
        if isinstance(lease.mail, Undecodable):  # pragma: no cover - it is never sent
            raise TypeError(lease)
        latency = max(0.0, self._now() - lease.mail.submitted_at)
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

    def _dead(self, log: _Log, lease: Lease, cause: Cause) -> None:
        self._metrics.mails_settled.labels("dead").inc()
        log.error(
            "mail dead",
            cause=cause.kind,
            cause_id=cause.id,
            sender=cause.sender,
            reason=cause.reason,
            **_mark(lease),
        )

    def _stopped(self, log: _Log, lease: Lease, why: Stop) -> None:
        if why is Stop.SHUTDOWN:
            return  # nothing happened to the mail
        self._metrics.mails_settled.labels(why.value).inc()
        if why is Stop.NEWER:
            log.warning("mail of a newer limbo left; update this worker")
        elif why is Stop.SEALED:
            reason = lease.mail.reason if isinstance(lease.mail, Undecodable) else None
            log.error("sealed mail left; LIMBO_BODY_KEYS lacks its key", reason=reason)
        else:
            tell = log.info if why is Stop.CANCELLED else log.warning
            tell("touch stopped", why=why.value, **_mark(lease))

    def _breakers(
        self, states: Mapping[str, BreakerState], opened_by: Mapping[str, Failed]
    ) -> None:
        with self._lock:
            before, self._states = self._states, states
        for sender, state in states.items():
            was = before.get(sender, BreakerState.CLOSED)
            if state is BreakerState.OPEN and was is not BreakerState.OPEN:
                _log.error("breaker open", sender=sender, **_reason(opened_by.get(sender)))
            elif state is BreakerState.CLOSED and was is not BreakerState.CLOSED:
                _log.info("breaker closed", sender=sender)


def _reason(answer: Failed | None) -> dict[str, str]:
    """Return the fault and the text of an answer, in which addresses are masked."""
    return {} if answer is None else {"fault": answer.fault.value, "reason": answer.reason}


def _mark(lease: Lease) -> dict[str, bool]:
    """Return the field that marks a possible duplicate; a body that is no mail cannot be one."""
    is_mail = not isinstance(lease.mail, Undecodable)
    return {"possible_duplicate": True} if lease.possible_duplicate and is_mail else {}
