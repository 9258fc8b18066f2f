"""Gathers the mails of many requests into few calls of the outbox."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from types import TracebackType
from typing import Self

import structlog

from limbo.domain.mail.text import redact
from limbo.ports.outbox import KeptAs, Outbox, Replayed, Submission, SubmitResult
from limbo.ports.queue import Kept, NotKept

# Requests that arrive in one turn of the event loop submit their mails in the next turn.
_CALM_TURNS = 2
_LATE = NotKept(reason="the queue has not answered in time", in_doubt=True)
log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherLimits:
    """How much may be gathered before mails are refused; times in seconds.

    At most ``calls`` calls of the outbox run at the same time, each with at most ``batch`` mails.
    Once ``enough`` mails wait, they are submitted at once, without waiting for more.
    """

    batch: int = 500
    enough: int = 500
    calls: int = 1
    mails: int = 10_000
    bytes: int = 64 * 1024 * 1024
    seconds: float = 15.0


@dataclass(slots=True, kw_only=True, eq=False)
class _Entry:
    submission: Submission
    size: int
    until: float
    result: asyncio.Future[SubmitResult]


class Gatherer:
    """Submits mails to the outbox, in threads of its own.

    Mails that arrive while a call runs are submitted in the next call, or at once when they are
    enough and another call may start. So batches grow with the load, and no mail waits for a timer.
    Use it as an async context manager; leaving it waits until all gathered mails are answered.
    """

    def __init__(self, outbox: Outbox, limits: GatherLimits | None = None) -> None:
        self._outbox = outbox
        self._limits = limits or GatherLimits()
        self._enough = min(self._limits.enough, self._limits.batch)
        self._waiting: deque[_Entry] = deque()
        self._under_way: list[list[_Entry]] = []
        self._mails = 0
        self._bytes = 0
        self._gathering = False
        self._timer: asyncio.TimerHandle | None = None
        self._takes = True
        self._batches: queue.SimpleQueue[list[_Entry] | None] = queue.SimpleQueue()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        for _ in range(self._limits.calls):
            threading.Thread(target=self._run, name="outbox", daemon=True).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if pending := [entry.result for entry in self._entries() if not entry.result.done()]:
            await asyncio.wait(pending)
        if self._timer is not None:
            self._timer.cancel()
        for _ in range(self._limits.calls):
            self._batches.put(None)

    async def submit(self, submission: Submission, size: int) -> SubmitResult:
        """Return the result for a mail whose request had ``size`` bytes."""
        if refusal := self._refusal(size):
            return refusal
        entry = _Entry(
            submission=submission,
            size=size,
            until=self._loop.time() + self._limits.seconds,
            result=self._loop.create_future(),
        )
        self._waiting.append(entry)
        self._mails += 1
        self._bytes += size
        self._gather()
        if self._timer is None:
            self._timer = self._loop.call_at(entry.until, self._expire)
        return await entry.result

    def _refusal(self, size: int) -> NotKept | None:
        limits = self._limits
        if self._mails >= limits.mails or self._bytes + size > limits.bytes:
            return NotKept(reason="too many mails wait for the queue")
        now = self._loop.time()
        if self._is_busy() and all(batch[0].until <= now for batch in self._under_way):
            return NotKept(reason="the queue has not answered for too long")
        return None

    def _gather(self) -> None:
        """Start calls for the waiting mails: at once if enough wait, or once the loop is calm."""
        while len(self._waiting) >= self._enough and not self._is_busy():
            self._send()
        if self._waiting and not self._gathering and not self._under_way:
            self._gathering = True
            self._loop.call_soon(self._send_when_calm)

    def _is_busy(self) -> bool:
        return len(self._under_way) >= self._limits.calls

    def _send_when_calm(self, before: int = 0, turns: int = _CALM_TURNS) -> None:
        """Start a call once some turns of the event loop have brought no further mails.

        The outbox and the loop share one interpreter, and slow each other down when both run.
        """
        waiting = len(self._waiting)
        if before < waiting:
            self._loop.call_soon(self._send_when_calm, waiting)
        elif waiting and turns:
            self._loop.call_soon(self._send_when_calm, waiting, turns - 1)
        else:
            self._gathering = False
            if not self._under_way:
                self._send()

    def _send(self) -> None:
        """Start the next call of the outbox with the mails that wait."""
        batch: list[_Entry] = []
        while self._waiting and len(batch) < self._limits.batch:
            entry = self._waiting.popleft()
            if entry.result.done():  # too late, or the request was cancelled
                self._forget(entry)
            else:
                batch.append(entry)
        if batch:
            self._under_way.append(batch)
            self._batches.put(batch)

    def _run(self) -> None:
        """Call the outbox, batch by batch, in the thread."""
        while (batch := self._batches.get()) is not None:
            results = self._ask([entry.submission for entry in batch])
            try:
                self._loop.call_soon_threadsafe(self._resolve, batch, results)
            except RuntimeError:  # the loop is closed, and nobody waits for the results
                return

    def _ask(self, submissions: Sequence[Submission]) -> Sequence[SubmitResult]:
        try:
            results = self._outbox.submit(submissions)
        except Exception as error:  # only this batch fails, the thread goes on
            log.exception("the outbox failed", exc_info=error)
            results = []
        if len(results) == len(submissions):
            return results
        return [NotKept(reason="the outbox failed", in_doubt=True)] * len(submissions)

    def _resolve(self, batch: list[_Entry], results: Sequence[SubmitResult]) -> None:
        for entry, result in zip(batch, results, strict=True):
            self._forget(entry)
            if not entry.result.done():
                entry.result.set_result(result)
            elif not entry.result.cancelled():
                mail_id = entry.submission.mail.id
                log.warning("the queue answered late", mail_id=mail_id, kept=_is_kept(result))
        self._tell(results)
        self._under_way.remove(batch)
        self._gather()

    def _tell(self, results: Sequence[SubmitResult]) -> None:
        """Log once that the outbox takes no mails any more, and once that it takes them again."""
        refusals = [each for each in results if isinstance(each, NotKept) and not each.too_large]
        takes = not refusals
        if takes and not self._takes:
            log.info("queue available", doing="put")
        elif self._takes and refusals:
            log.error("queue unavailable", doing="put", reason=redact(refusals[0].reason))
        self._takes = takes

    def _entries(self) -> Iterator[_Entry]:
        return chain(chain.from_iterable(self._under_way), self._waiting)

    def _forget(self, entry: _Entry) -> None:
        self._mails -= 1
        self._bytes -= entry.size

    def _expire(self) -> None:
        """Answer the mails that have waited too long.

        One timer is enough for all mails, because all have the same time limit.
        """
        now = self._loop.time()
        for entry in chain.from_iterable(self._under_way):
            if entry.until <= now and not entry.result.done():
                entry.result.set_result(_LATE)
        while self._waiting and self._waiting[0].until <= now:
            entry = self._waiting.popleft()
            self._forget(entry)
            if not entry.result.done():
                entry.result.set_result(NotKept(reason="the queue did not answer in time"))
        pending = [entry.until for entry in self._entries() if not entry.result.done()]
        self._timer = self._loop.call_at(min(pending), self._expire) if pending else None


def _is_kept(result: SubmitResult) -> bool | None:
    """Say whether the mail is kept, or None if that is in doubt."""
    if isinstance(result, NotKept) and result.in_doubt:
        return None
    return isinstance(result, Kept | KeptAs | Replayed)
