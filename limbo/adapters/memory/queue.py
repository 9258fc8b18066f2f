"""A queue in this process's memory, for development and tests. It is lost with the process."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from limbo.adapters.memory.dead_letters import MemoryDeadLetters
from limbo.adapters.memory.timeline import Timeline
from limbo.domain.delivery.evidence import NO_EVIDENCE, Evidence
from limbo.domain.delivery.verdict import Death
from limbo.domain.mail.mail import Mail
from limbo.ports.dead_letters import DeadLetter
from limbo.ports.queue import Depth, Kept, Lease, NotKept, Undecodable


@dataclass(slots=True, eq=False)
class _Entry:
    """A mail in the queue. ``due`` is when its lease or delay ends, and None while it is ready."""

    mail: Mail | Undecodable
    due: float | None = None
    receipt: str | None = None
    touches: int = 0
    possible_duplicate: bool = False
    evidence: Evidence = NO_EVIDENCE
    gone: bool = False


class MemoryQueue:
    """A MailQueue for ``limbo dev``, lost with the process.

    Its ``dead_letters`` are lost with it. ``on_redrive`` gets the ids of the mails that are put
    back into the queue.
    """

    def __init__(
        self,
        *,
        lease_seconds: float = 60.0,
        now: Callable[[], float] = time.time,
        on_redrive: Callable[[Sequence[str]], object] = lambda _ids: None,
    ) -> None:
        self._lease_seconds = lease_seconds
        self._now = now
        self._on_redrive = on_redrive
        self._changed = threading.Condition()
        self._ready: deque[_Entry] = deque()
        self._leased: dict[str, _Entry] = {}
        self._deferred = 0
        self._timed = Timeline[_Entry](lambda at, entry: entry.due == at)
        self._ages = Timeline[_Entry](lambda _, entry: not entry.gone)
        self._receipts = itertools.count(1)
        self.dead_letters = MemoryDeadLetters(redrive=self._redrive, now=now)

    def put(self, mails: Sequence[Mail | Undecodable]) -> list[Kept | NotKept]:
        """Keep all the mails. Tests can also put an Undecodable, and receive it as it is."""
        now = self._now()
        self._enter(
            [(mail.submitted_at if isinstance(mail, Mail) else now, _Entry(mail)) for mail in mails]
        )
        return [Kept() for _ in mails]

    def receive(self, limit: int, wait: float) -> list[Lease]:
        """Lease up to ``limit`` mails, first in, first out."""
        until = time.monotonic() + wait
        with self._changed:
            self._end_what_is_due()
            while not self._ready and (left := until - time.monotonic()) > 0:
                first = self._timed.first()
                self._changed.wait(left if first is None else min(left, first[0] - self._now()))
                self._end_what_is_due()
            count = min(limit, len(self._ready))
            return [self._lease(self._ready.popleft()) for _ in range(count)]

    def ack(self, leases: Sequence[Lease]) -> list[Lease]:
        """Remove the mails. Return the leases that were already lost."""
        with self._changed:
            return [lease for lease in leases if self._remove(lease) is None]

    def release(self, lease: Lease, delay: float) -> None:
        """Give the mail back, due again in ``delay`` seconds."""
        with self._changed:
            entry = self._end_lease(lease)
            if entry is None:
                return
            entry.touches = lease.touches
            entry.possible_duplicate = lease.possible_duplicate
            entry.evidence = lease.evidence
            if delay > 0:
                self._deferred += 1
                self._set_due(entry, self._now() + delay)
            else:
                self._ready.append(entry)
            self._changed.notify_all()

    def bury(self, lease: Lease, death: Death) -> None:
        """Move the mail to the dead letters."""
        with self._changed:
            if self._remove(lease) is not None:
                self.dead_letters.add(lease, death)

    def extend(self, leases: Sequence[Lease]) -> list[Lease]:
        """Restart the time of the leases. Return the leases that were already lost."""
        with self._changed:
            self._end_what_is_due()
            until = self._now() + self._lease_seconds
            lost = []
            for lease in leases:
                entry = self._leased.get(lease.receipt)
                if entry is None:
                    lost.append(lease)
                else:
                    self._set_due(entry, until)
            return lost

    def check_put(self) -> None:
        """Do nothing: memory takes mails as long as the process runs."""

    def depth(self) -> Depth:
        """Count the mails now."""
        with self._changed:
            self._end_what_is_due()
            oldest = self._ages.first()
            return Depth(
                ready=len(self._ready),
                in_flight=len(self._leased),
                deferred=self._deferred,
                oldest_age=0.0 if oldest is None else max(0.0, self._now() - oldest[0]),
                dead=self.dead_letters.kinds(),
            )

    def _redrive(self, letters: Sequence[DeadLetter]) -> None:
        self._on_redrive([letter.mail.id for letter in letters])
        now = self._now()
        self._enter(
            [(now, _Entry(x.mail, possible_duplicate=x.possible_duplicate)) for x in letters]
        )

    def _enter(self, entries: Sequence[tuple[float, _Entry]]) -> None:
        """Append the entries, each with the time from which its age counts."""
        with self._changed:
            for since, entry in entries:
                self._ages.push(since, entry)
            self._ready.extend(entry for _, entry in entries)
            self._changed.notify_all()

    def _lease(self, entry: _Entry) -> Lease:
        entry.receipt = str(next(self._receipts))
        self._leased[entry.receipt] = entry
        self._set_due(entry, self._now() + self._lease_seconds)
        return Lease(
            mail=entry.mail,
            receipt=entry.receipt,
            touches=entry.touches,
            possible_duplicate=entry.possible_duplicate,
            evidence=entry.evidence,
        )

    def _end_lease(self, lease: Lease) -> _Entry | None:
        """End a lease. Return its entry, or None if the lease was already lost."""
        self._end_what_is_due()
        entry = self._leased.pop(lease.receipt, None)
        if entry is not None:
            entry.receipt = entry.due = None
        return entry

    def _remove(self, lease: Lease) -> _Entry | None:
        entry = self._end_lease(lease)
        if entry is not None:
            entry.gone = True
            self._ages.sweep(len(self._ready) + len(self._leased) + self._deferred)
        return entry

    def _set_due(self, entry: _Entry, due: float) -> None:
        entry.due = due
        self._timed.push(due, entry)
        self._timed.sweep(len(self._leased) + self._deferred)

    def _end_what_is_due(self) -> None:
        """Make ready all deferred mails that are due now, and all mails whose lease has run out."""
        while (first := self._timed.first()) is not None and first[0] <= self._now():
            entry = first[1]
            entry.due = None
            if entry.receipt is None:
                self._deferred -= 1
            else:
                del self._leased[entry.receipt]
                entry.receipt = None
                entry.possible_duplicate = True
            self._ready.append(entry)
