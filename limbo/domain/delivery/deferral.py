"""What follows when no provider took a mail: it waits, or it is dead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from limbo.domain.delivery.evidence import LIMIT, Evidence, counts
from limbo.domain.delivery.outcome import Dead, Deferred
from limbo.domain.delivery.retry import MAX_RETRY_AFTER, RetryPolicy
from limbo.domain.delivery.verdict import Attempt, Cause, Failed, Fault

REFUSED_SECONDS = 24 * 3600.0
"""How long a mail waits for somebody to verify its address."""
_REFUSED_PAUSES = (60.0, 3600.0)  # the first and the longest


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTouch:
    """A touch that no provider ended, and what was known of the mail before it.

    ``log_likelihood`` is the logarithm of the chance that the providers' own failures explain this
    touch. ``probed`` tells that a call was a probe. ``at`` is in seconds since the epoch, and a
    provider can be called ``ready_in`` seconds later.
    """

    attempts: Sequence[Attempt]
    touches: int
    evidence: Evidence
    log_likelihood: float
    probed: bool
    at: float
    ready_in: float


def what_next(touch: FailedTouch, retry: RetryPolicy, jitter: float) -> Deferred | Dead:
    """Decide when the mail is tried again, if it is; ``jitter`` is between 0.5 and 1."""
    faults = [fault_of(attempt) for attempt in touch.attempts]
    if faults and {*faults} == {Fault.IDENTITY}:
        return _refused(touch, jitter)
    duplicate = Fault.UNKNOWN in faults
    against = _against(touch, faults, retry)
    if against is None:
        return Deferred(
            attempts=touch.attempts,
            delay=_pause(touch, retry, jitter),
            touched=False,
            possible_duplicate=duplicate,
            evidence=touch.evidence,
        )
    evidence = replace(touch.evidence, log_likelihood=touch.evidence.log_likelihood + against)
    touches = touch.touches + 1
    if touches >= retry.max_touches and evidence.is_enough:
        to_blame = (Fault.OUTAGE, Fault.UNKNOWN)
        last = [a for a in touch.attempts if fault_of(a) in to_blame][-1]
        return Dead(attempts=touch.attempts, cause=cause_of(last), possible_duplicate=duplicate)
    return Deferred(
        attempts=touch.attempts,
        delay=retry.delay(touches, touch.attempts, jitter),
        touched=True,
        possible_duplicate=duplicate,
        evidence=evidence,
    )


def let_another_probe(evidence: Evidence, jitter: float) -> Deferred:
    """Put a mail off for a moment, untried: behind the mails that are ready."""
    return Deferred(attempts=(), delay=jitter, touched=False, evidence=evidence)


def fault_of(attempt: Attempt) -> Fault | None:
    """Return the fault of a failed attempt."""
    return attempt.verdict.fault if isinstance(attempt.verdict, Failed) else None


def cause_of(attempt: Attempt) -> Cause:
    """Return the failed attempt as the cause of a mail's death."""
    if not isinstance(attempt.verdict, Failed):  # pragma: no cover - only failures are blamed
        raise TypeError(attempt.verdict)
    verdict = attempt.verdict
    return Cause(kind=verdict.fault.value, reason=verdict.reason, sender=attempt.sender)


def _against(
    touch: FailedTouch, faults: Sequence[Fault | None], retry: RetryPolicy
) -> float | None:
    """Return what this touch adds against the mail, or None if it does not count.

    An UNKNOWN always counts, by as much as makes the last of ``max_touches`` the end: the mail may
    have been sent each time. A probe asks how the provider is, so its failure says that.
    """
    if Fault.UNKNOWN in faults:
        return min(touch.log_likelihood, LIMIT / retry.max_touches)
    if Fault.OUTAGE not in faults or touch.probed or not counts(touch.log_likelihood):
        return None
    return touch.log_likelihood


def _pause(touch: FailedTouch, retry: RetryPolicy, jitter: float) -> float:
    """Wait until a provider is due, spread over half of the first delay.

    After an outage it is at least as long as a first touch that counts would make it.
    """
    first = retry.delays[0]
    pause = max(min(touch.ready_in, first), retry.asked(touch.attempts))
    outage = any(fault_of(attempt) is Fault.OUTAGE for attempt in touch.attempts)
    least = first * jitter if outage else 0.0
    return min(max(pause + first * (jitter - 0.5), least), MAX_RETRY_AFTER)


def _refused(touch: FailedTouch, jitter: float) -> Deferred | Dead:
    """Wait as long again as the refusals have lasted, a day in all."""
    since = touch.evidence.refused_since
    since = touch.at if since is None else min(since, touch.at)
    lasted = touch.at - since
    if lasted >= REFUSED_SECONDS:
        return Dead(attempts=touch.attempts, cause=cause_of(touch.attempts[-1]))
    first, longest = _REFUSED_PAUSES
    return Deferred(
        attempts=touch.attempts,
        delay=min(max(lasted, first), longest) * jitter,
        touched=False,
        evidence=replace(touch.evidence, refused_since=since),
    )
