"""Deletes from the ledger what has been kept for long enough, in small steps."""

import threading

import structlog

from limbo.domain.errors import LedgerUnavailable
from limbo.entrypoints.process.clock import Clock
from limbo.ports.ledger import Ledger

_DAY = 86_400.0
_ROUND_SECONDS = 60.0
_STEP = 200  # entries in one transaction
_PAUSE_SECONDS = 0.05  # between two transactions, so that others can write
_log = structlog.get_logger()


class Janitor:
    """A part of the worker's process; several of them may run at the same time."""

    def __init__(
        self, ledger: Ledger, *, clock: Clock, body_days: float, record_days: float
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._body_days = body_days
        self._record_days = record_days
        self._changed = threading.Condition()
        self._stopping = False

    def run(self) -> None:
        """Purge once a minute until stopped."""
        while not self._stopping:
            seconds = _PAUSE_SECONDS if self.purge() else _ROUND_SECONDS
            with self._changed:
                if not self._stopping:
                    self._clock.wait(self._changed, seconds)

    def stop(self) -> None:
        """Start to stop."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def purge(self) -> bool:
        """Take one step; return whether there is more to delete."""
        now = self._clock.now()
        try:
            deleted = self._ledger.purge(
                bodies_before=now - self._body_days * _DAY,
                records_before=now - self._record_days * _DAY,
                limit=_STEP,
            )
        except LedgerUnavailable as error:
            _log.warning("cannot purge the ledger", reason=str(error))
            return False
        except Exception:  # noqa: BLE001 - housekeeping must not end a process that sends mails
            _log.exception("cannot purge the ledger")
            return False
        return deleted >= _STEP
