"""What the queue and the ledger do after a touch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.domain.delivery.lifecycle import End, Status, Stop
from limbo.domain.delivery.outcome import Dead, Deferred, Outcome, Sent, Stopped
from limbo.domain.delivery.verdict import Death


@dataclass(frozen=True, slots=True)
class Ack:
    """The queue removes the mail: it is done."""


@dataclass(frozen=True, slots=True)
class Defer:
    """The queue gets the mail back, due again in ``delay`` seconds."""

    delay: float


@dataclass(frozen=True, slots=True)
class Bury:
    """The queue moves the mail to the dead letters."""

    death: Death


Action = Ack | Defer | Bury | None
"""What the queue does, or None if another worker has the mail by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the queue and the ledger do after a touch.

    ``touches``, ``possible_duplicate`` and ``evidence`` are what the queue stores with the mail.
    ``end`` is the event for the ledger, or None if there is no news for it.
    """

    action: Action
    touches: int
    possible_duplicate: bool
    evidence: Evidence = NO_EVIDENCE
    end: End | None = None


_ACK = Ack()
_STOPPED: Mapping[Stop, tuple[Action, Status]] = {
    Stop.LEASE_LOST: (None, Status.SENDING),
    Stop.ALREADY_SENT: (_ACK, Status.SENDING),
    Stop.CANCELLED: (_ACK, Status.CANCELLED),
    Stop.NO_LEDGER: (Defer(10.0), Status.DEFERRED),
    Stop.NEWER: (Defer(30.0), Status.DEFERRED),
    Stop.SEALED: (Defer(30.0), Status.DEFERRED),
    Stop.SHUTDOWN: (Defer(0.0), Status.DEFERRED),
}


def what_follows(outcome: Outcome) -> tuple[Action, Status]:
    """Return what the queue does with a mail of this outcome, and the mail's new status."""
    match outcome:
        case Sent():
            return _ACK, Status.SENT
        case Deferred(delay=delay):
            return Defer(delay), Status.DEFERRED
        case Dead(cause=cause, attempts=attempts):
            return Bury(Death(cause=cause, attempts=attempts)), Status.DEAD
        case Stopped(why=why):
            return _STOPPED[why]
        case _:
            assert_never(outcome)


def settlement_of(
    outcome: Outcome,
    *,
    mail_id: str | None,
    touches: int,
    possible_duplicate: bool,
    told: int,
    now: float,
    evidence: Evidence = NO_EVIDENCE,
) -> Settlement:
    """Return what follows from a touch. The ledger already knows the first ``told`` attempts.

    ``touches``, ``possible_duplicate`` and ``evidence`` are the mail's before the touch.
    ``mail_id`` is None for a body that is no mail. No ledger knows such a body.
    """
    action, status = what_follows(outcome)
    if isinstance(outcome, (Deferred, Dead)):
        possible_duplicate = possible_duplicate or outcome.possible_duplicate
        if isinstance(outcome, Deferred):
            touches += outcome.touched
            evidence = outcome.evidence
    end = None
    untold = outcome.attempts[told:]
    # A touch that was stopped before a call is no news, and the ledger may be down.
    if mail_id is not None and (untold or not isinstance(outcome, Stopped)):
        end = End(
            mail_id=mail_id,
            status=status,
            at=now,
            attempts=untold,
            cause=outcome.cause if isinstance(outcome, Dead) else None,
            next_at=now + action.delay if isinstance(action, Defer) else None,
            possible_duplicate=possible_duplicate,
        )
    return Settlement(
        action=action,
        touches=touches,
        possible_duplicate=possible_duplicate,
        evidence=evidence,
        end=end,
    )
