"""Gathers the writes of many threads into few writes of another ledger."""

import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue

from limbo.domain.delivery.lifecycle import End, Start, StartReply
from limbo.domain.errors import LedgerUnavailable
from limbo.ports.ledger import Ledger

_MOST = 500  # writes of threads in one write of the ledger


class _Write:
    """The events of one thread; the thread waits until they are written."""

    __slots__ = ("_done", "_error", "events", "replies")

    def __init__(self, events: Sequence[Start | End]) -> None:
        self.events = events
        self.replies: Sequence[StartReply | None] = ()
        self._error: Exception | None = None
        self._done = threading.Lock()  # cheaper than an Event, and it is used only once
        self._done.acquire()

    def finish(self, replies: Sequence[StartReply | None], error: Exception | None = None) -> None:
        self.replies = replies
        self._error = error
        self._done.release()

    def wait(self) -> list[StartReply | None]:
        self._done.acquire()
        if isinstance(
            self._error, LedgerUnavailable
        ):  # a new one, as each thread adds its own traceback
            raise LedgerUnavailable(str(self._error)) from self._error
        if self._error is not None:
            raise self._error
        return [*self.replies]


class GatheredLedger:
    """A Ledger for the many threads of a worker: one commit serves all threads that wait."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._writes: SimpleQueue[_Write] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def write(self, events: Sequence[Start | End]) -> list[StartReply | None]:
        """Write the events, together with those of other threads."""
        if self._thread is None:
            self._start()
        write = _Write(events)
        self._writes.put(write)
        return write.wait()

    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:
        """Let the ledger delete what is old enough."""
        return self._ledger.purge(
            bodies_before=bodies_before, records_before=records_before, limit=limit
        )

    def _start(self) -> None:
        """Start the thread, at the first write: by then the process has blocked its signals."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="ledger", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            writes = [self._writes.get()]
            while len(writes) < _MOST:
                try:
                    writes.append(self._writes.get_nowait())
                except Empty:
                    break
            self._write(writes)

    def _write(self, writes: Sequence[_Write]) -> None:
        try:
            replies = self._ledger.write([event for write in writes for event in write.events])
        except LedgerUnavailable as error:
            for write in writes:
                write.finish((), error)
            return
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            if len(writes) == 1:
                writes[0].finish((), error)
            else:  # one thread's events must not fail those of the others
                for write in writes:
                    self._write([write])
            return
        start = 0
        for write in writes:
            end = start + len(write.events)
            write.finish(replies[start:end])
            start = end
