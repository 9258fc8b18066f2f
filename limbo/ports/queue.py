"""The ports to the queue and to its dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from limbo.domain.delivery.verdict import Death
from limbo.domain.mail.mail import Mail


@dataclass(frozen=True, slots=True)
class Kept:
    """The queue has the mail: it survives a crash from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKept:
    """The queue does not have the mail; ``too_large`` when it never will.

    ``in_doubt`` says that it may have it all the same, as when no answer came to what was sent:
    then neither may be claimed, that it is kept or that it is not.
    """

    reason: str
    too_large: bool = False
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A body in the queue that is no mail, and why; ``id`` is the queue's own name for it.

    ``is_supported`` is False when a newer limbo wrote it, which may find a mail in it.
    """

    id: str
    reason: str
    is_supported: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A mail lent to one worker until the lease runs out.

    ``touches`` counts the touches before this one. ``possible_duplicate`` says that an earlier
    lease may have ended in a send: the worker died, or the provider never answered.
    """

    mail: Mail | Undecodable
    receipt: str
    touches: int = 0
    possible_duplicate: bool = False

    def touched(self, *, possible_duplicate: bool) -> "Lease":
        """Return the lease as it is to be released after a touch that failed."""
        return replace(
            self,
            touches=self.touches + 1,
            possible_duplicate=self.possible_duplicate or possible_duplicate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many mails wait, are leased, deferred or dead; the age of the oldest in seconds.

    ``oldest_age`` is counted from the submission, 0 when the queue is empty, and None where the
    queue cannot tell. ``dead`` counts the dead letters by kind of cause, or all of them as ``any``
    where the queue cannot tell them apart.
    """

    ready: int
    in_flight: int
    deferred: int
    oldest_age: float | None
    dead: Mapping[str, int] = field(default_factory=dict)


class MailQueue(Protocol):
    """A durable queue of mails, delivered at least once.

    All methods may be called from several threads. All but ``put`` raise QueueUnavailable when the
    queue does not answer.
    """

    def put(self, mails: Sequence[Mail]) -> list[Kept | NotKept]:
        """Keep the mails, and say of each, in order, whether it is kept; never raises."""
        ...

    def receive(self, limit: int, wait: float) -> list[Lease]:
        """Lease up to ``limit`` mails that are due, waiting up to ``wait`` seconds for the first.

        A worker that dies lets its leases run out, and the mails are received again.
        """
        ...

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Remove mails that are done with; return those whose lease was lost before."""
        ...

    def release(self, lease: Lease, delay: float) -> None:
        """Give a mail back, due again in ``delay`` seconds, with the touches the lease names.

        A queue that counts touches by itself (SQS) keeps its own count. A lost lease is left alone.
        """
        ...

    def bury(self, lease: Lease, death: Death) -> None:
        """Move a mail to the dead letters; at no instant is it in neither. A lost lease stays."""
        ...

    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Start the leases' time again from now; return those that were lost before."""
        ...


class QueueDepth(Protocol):
    """How full the queue is; every queue offers it."""

    def depth(self) -> Depth:
        """Count now; raises QueueUnavailable, which also tells that the api is not ready."""
        ...
