"""The port to the queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.domain.delivery.verdict import Death
from limbo.domain.mail.mail import Mail

ANY_KIND = "any"
"""Stands for all kinds of cause in a depth whose queue cannot tell them apart."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The queue has the mail. From now on the mail survives a crash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKept:
    """The queue does not have the mail. ``too_large`` means that it can never take it.

    ``in_doubt`` means that the queue may have the mail after all, for example because no answer
    came. Then do not tell the client that it is kept, nor that it is not.
    """

    reason: str
    too_large: bool = False
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A body in the queue that is no mail, and the reason. ``id`` is the queue's id for it.

    ``is_supported`` is False if another process may be able to read it: a newer limbo wrote it, or,
    if ``is_sealed``, it is encrypted under a key that this one does not have.
    """

    id: str
    reason: str
    is_supported: bool = True
    is_sealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A mail that one worker may handle until the lease runs out.

    ``touches`` counts the touches before this one, and ``evidence`` is what they say of the mail.
    ``possible_duplicate`` means that an earlier lease may have ended in a send: the worker died, or
    the provider never answered.
    """

    mail: Mail | Undecodable
    receipt: str
    touches: int = 0
    possible_duplicate: bool = False
    evidence: Evidence = NO_EVIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """The number of mails that are ready, leased, deferred or dead, and the oldest one's age.

    ``oldest_age`` is in seconds since the submission, or since the redrive of a mail that was dead.
    It is 0 when the queue is empty, and None if the queue cannot tell. ``dead`` counts the dead
    letters by kind of cause, or all of them under ANY_KIND if the queue cannot tell them apart.
    ``is_estimate`` says that ``ready`` and ``deferred`` are right only together.
    """

    ready: int
    in_flight: int
    deferred: int
    oldest_age: float | None
    dead: Mapping[str, int] = field(default_factory=dict)
    is_estimate: bool = False


class MailQueue(Protocol):
    """A durable queue that delivers each mail at least once.

    Several threads may call all methods. All but ``put`` raise QueueUnavailable when the queue does
    not answer.
    """

    def put(self, mails: Sequence[Mail]) -> list[Kept | NotKept]:
        """Keep the mails. Return for each, in order, whether it is kept; never raise."""
        ...

    def receive(self, limit: int, wait: float) -> list[Lease]:
        """Lease up to ``limit`` due mails. Wait up to ``wait`` seconds for the first one.

        What is ready by itself comes before what was deferred or leased, where the order is known.

        If a worker dies, its leases run out and the mails are received again.
        """
        ...

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Remove mails that are done. Return the leases that were already lost."""
        ...

    def release(self, lease: Lease, delay: float) -> None:
        """Give a mail back. It is due again in ``delay`` seconds, with what the lease says of it.

        Without a delay it is ready, whatever the clock says from now on. Where a message cannot be
        changed (SQS), touches and evidence are this process's own. A lost lease changes nothing.
        """
        ...

    def bury(self, lease: Lease, death: Death) -> None:
        """Move a mail to the dead letters. A lost lease changes nothing.

        The mail is never missing from both, even if the process is killed in between.
        """
        ...

    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Restart the time of the leases from now. Return the leases that were already lost."""
        ...


class Readiness(Protocol):
    """Whether mails can be kept. Every queue offers this, and each ledger for its own part."""

    def check_put(self) -> None:
        """Raise QueueUnavailable or LedgerUnavailable unless a put would succeed now.

        It does what a put does as far as possible, and leaves nothing that anybody else sees.
        """
        ...


class QueueDepth(Protocol):
    """How full the queue is. Every queue offers this."""

    def depth(self) -> Depth:
        """Count the mails now. Raises QueueUnavailable."""
        ...
