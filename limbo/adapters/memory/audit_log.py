"""The audit in memory, for ``limbo dev``."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from limbo.domain.access.audit import AuditEntry, Result
from limbo.domain.mail.ids import lowest_id
from limbo.ports.audit_log import AuditQuery

_MOST = 10_000


class MemoryAuditLog:
    """An AuditLog that lives as long as its process; it keeps the newest 10,000 entries."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, AuditEntry] = {}

    def begin(self, entry: AuditEntry) -> None:
        """Keep the entry."""
        with self._lock:
            self._entries[entry.id] = entry
            if len(self._entries) > _MOST:
                del self._entries[next(iter(self._entries))]

    def end(self, id: str, result: Result, count: int | None) -> None:  # noqa: A002
        """Complete the entry, unless it is forgotten by now."""
        with self._lock:
            if (entry := self._entries.get(id)) is not None:
                self._entries[id] = replace(entry, result=result, count=count)

    def page(self, query: AuditQuery) -> Sequence[AuditEntry]:
        """Look through all entries."""
        with self._lock:
            entries = sorted(self._entries.values(), key=lambda entry: entry.id, reverse=True)
        return list(_matching(entries, query))[: query.limit]

    def purge(self, *, before: float, limit: int) -> int:
        """Delete the oldest first."""
        with self._lock:
            old = [id_ for id_, entry in sorted(self._entries.items()) if entry.at < before][:limit]
            for id_ in old:
                del self._entries[id_]
        return len(old)


def _matching(entries: Sequence[AuditEntry], query: AuditQuery) -> Iterator[AuditEntry]:
    for entry in entries:
        if (
            (query.who is None or entry.actor.who == query.who)
            and (query.action is None or entry.action == query.action)
            and (query.since is None or entry.id >= lowest_id(query.since))
            and (query.after is None or entry.id < query.after)
        ):
            yield entry
