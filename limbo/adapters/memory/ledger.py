"""A ledger in this process's memory, for development and tests. It is lost with the process."""

import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import assert_never

from limbo.adapters.outbox.once_per_key import KEY_SECONDS, TAKEOVER_SECONDS, Reservation, key_hash
from limbo.domain.delivery.entry import Entry
from limbo.domain.delivery.lifecycle import (
    CANCEL,
    ENTERED,
    FREES_KEY,
    KEEP,
    PURGEABLE,
    REDRIVE,
    REFUSE,
    UNDER_WAY,
    End,
    Move,
    Start,
    StartReply,
    Status,
)
from limbo.domain.delivery.verdict import Attempt
from limbo.domain.mail.ids import lowest_id
from limbo.domain.mail.mail import Mail
from limbo.ports.ledger_reader import Cancelled, Query, Record, RecordedAttempt
from limbo.ports.outbox import KeyConflict, Replayed, Reserved, Submission


@dataclass(slots=True, kw_only=True)
class _Page:
    """Everything known of one mail. ``record`` holds what never changes; ``entry`` has the rest."""

    record: Record
    entry: Entry
    mail: Mail | None
    attempts: dict[tuple[float, str], Attempt | None] = field(default_factory=dict)

    def read(self, *, whole: bool = False) -> Record:
        """Return the record as it is now. If ``whole``, it has its attempts and its mail."""
        attempts = sorted(self.attempts.items(), key=lambda item: item[0]) if whole else ()
        return replace(
            self.record,
            status=self.entry.status,
            updated_at=self.entry.updated_at,
            next_at=self.entry.next_at,
            cause=self.entry.cause,
            possible_duplicate=self.entry.possible_duplicate,
            mail=self.mail if whole else None,
            attempts=tuple(
                RecordedAttempt(sender=sender, started_at=started_at, attempt=attempt)
                for (started_at, sender), attempt in attempts
            ),
        )

    def matches(self, query: Query) -> bool:
        """Tell whether the conditions hold that do not depend on the id."""
        record = self.record
        return (
            query.client in (None, record.client)
            and query.key in (None, record.key)
            and query.status in (None, self.entry.status)
            and (query.to is None or query.to.lower() in map(str.lower, record.to))
        )


@dataclass(slots=True, kw_only=True)
class _IdempotencyKey:
    fingerprint: str
    mail_id: str
    at: float


class MemoryLedger:
    """A Ledger, its Reservations and its LedgerReader for ``limbo dev``, lost with the process."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._pages: dict[str, _Page] = {}
        self._ids: list[str] = []
        self._idempotency_keys: dict[bytes, _IdempotencyKey] = {}

    def reserve(self, submissions: Sequence[Submission]) -> list[Reservation]:
        """Enter the mails whose idempotency keys are free."""
        with self._lock:
            return [self._reserve(submission) for submission in submissions]

    def check_put(self) -> None:
        """Do nothing: memory takes entries as long as the process runs."""

    def conclude(self, *, kept: Sequence[Submission], refused: Sequence[Submission]) -> None:
        """Record the queue's results, unless a worker has had the mail since."""
        with self._lock:
            for submission in kept:
                self._move(submission.mail.id, KEEP)
            for submission in refused:
                self._move(submission.mail.id, REFUSE)
                self._free(submission)

    def redrive(self, ids: Sequence[str]) -> None:
        """Record that these mails are put back into the queue."""
        with self._lock:
            for id_ in ids:
                self._move(id_, REDRIVE)

    def write(self, events: Sequence[Start | End]) -> list[StartReply | None]:
        """Record the events."""
        with self._lock:
            return [self._write(event) for event in events]

    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:
        """Delete the oldest first. Expired idempotency keys count too."""
        with self._lock:
            now = self._now()
            old = (
                name for name, key in self._idempotency_keys.items() if key.at < now - KEY_SECONDS
            )
            names = [*islice(old, limit)]
            for name in names:
                del self._idempotency_keys[name]
            limit -= len(names)
            old_bodies = (
                id_ for id_, page in self._purgeable(bodies_before) if page.mail is not None
            )
            bodies = [*islice(old_bodies, limit)]
            for id_ in bodies:
                self._pages[id_].mail = None
            limit -= len(bodies)
            records = [*islice((id_ for id_, _ in self._purgeable(records_before)), limit)]
            for id_ in records:
                del self._pages[id_]
                del self._ids[bisect_left(self._ids, id_)]
            return len(names) + len(bodies) + len(records)

    def statuses(self, ids: Collection[str]) -> Mapping[str, Status]:
        """Return the statuses of these mails, by id."""
        with self._lock:
            return {id_: self._pages[id_].entry.status for id_ in ids if id_ in self._pages}

    def find(self, id: str, client: str | None) -> Record | None:  # noqa: A002
        """Return the entry with its attempts and its mail."""
        with self._lock:
            page = self._page(id, client)
            return None if page is None else page.read(whole=True)

    def page(self, query: Query) -> Sequence[Record]:
        """Return entries, newest first."""
        with self._lock:
            return [page.read() for page in self._matching(query)]

    def cancel(self, id: str, client: str | None) -> Status | None:  # noqa: A002
        """Cancel the mail if it is queued or deferred. The queue is not told."""
        with self._lock:
            page = self._page(id, client)
            if page is None:
                return None
            self._move(id, CANCEL)
            return page.entry.status

    def cancel_page(self, query: Query) -> Cancelled:
        """Cancel those of the page that are queued or deferred. The queue is not told."""
        with self._lock:
            pages = self._matching(query)
            chosen = [page for page in pages if page.entry.status in CANCEL.from_]
            for page in chosen:
                page.entry.move(CANCEL, self._now())
            last = pages[-1].record.id if len(pages) == query.limit else None
            return Cancelled(count=len(chosen), last=last)

    def _matching(self, query: Query) -> Sequence[_Page]:
        last = len(self._ids) if query.after is None else bisect_left(self._ids, query.after)
        first = 0 if query.since is None else bisect_left(self._ids, lowest_id(query.since))
        pages = (self._pages[self._ids[at]] for at in range(last - 1, first - 1, -1))
        return [*islice((page for page in pages if page.matches(query)), query.limit)]

    def _reserve(self, submission: Submission) -> Reservation:
        if submission.idempotency is None:
            return self._enter(submission)
        name, now = key_hash(submission.client, submission.idempotency), self._now()
        key = self._idempotency_keys.get(name)
        if key is None or key.at < now - KEY_SECONDS:
            self._idempotency_keys[name] = _IdempotencyKey(
                fingerprint=submission.idempotency.fingerprint, mail_id=submission.mail.id, at=now
            )
            return self._enter(submission)
        if key.fingerprint != submission.idempotency.fingerprint:
            return KeyConflict.REUSED
        page = self._pages.get(key.mail_id)
        if page is None or page.entry.status not in UNDER_WAY:
            return Replayed(key.mail_id)
        if key.at >= now - TAKEOVER_SECONDS:
            return KeyConflict.UNDER_WAY
        key.at = now
        return Reserved(key.mail_id)

    def _enter(self, submission: Submission) -> Reserved:
        mail = submission.mail
        if mail.id not in self._pages:
            entry = Entry(ENTERED, mail.submitted_at)
            record = Record(
                id=mail.id,
                client=submission.client,
                key=submission.key,
                status=entry.status,
                submitted_at=mail.submitted_at,
                updated_at=entry.updated_at,
                from_=mail.from_.email,
                to=tuple(address.email for address in mail.recipients),
                subject=mail.subject,
                mail=None,
                shown=mail.fields.shown(mail),
            )
            self._pages[mail.id] = _Page(record=record, entry=entry, mail=mail)
            insort(self._ids, mail.id)
        return Reserved(mail.id)

    def _free(self, submission: Submission) -> None:
        page = self._pages.get(submission.mail.id)
        if page is not None and page.entry.status in FREES_KEY and submission.idempotency:
            self._idempotency_keys.pop(key_hash(submission.client, submission.idempotency), None)

    def _write(self, event: Start | End) -> StartReply | None:
        page = self._pages.get(event.mail_id)
        match event:
            case Start():
                reply = StartReply() if page is None else page.entry.begin(event)
                if page is not None and reply.stop is None:
                    page.attempts.setdefault((event.started_at, event.sender), None)
                return reply
            case End():
                if page is not None:
                    page.entry.end(event)
                    for attempt in event.attempts:
                        started = (attempt.started_at, attempt.sender)
                        page.attempts[started] = page.attempts.get(started) or attempt
                return None
            case _:
                assert_never(event)

    def _move(self, id_: str, move: Move) -> None:
        page = self._pages.get(id_)
        if page is not None:
            page.entry.move(move, self._now())

    def _page(self, id_: str, client: str | None) -> _Page | None:
        page = self._pages.get(id_)
        return page if page is not None and client in (None, page.record.client) else None

    def _purgeable(self, before: float) -> Iterator[tuple[str, _Page]]:
        end = bisect_left(self._ids, lowest_id(before))
        pages = ((id_, self._pages[id_]) for id_ in self._ids[:end])
        return ((id_, page) for id_, page in pages if page.entry.status in PURGEABLE)
