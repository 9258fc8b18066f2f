"""Waits at the start of a process for a store that does not answer yet."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from limbo.domain.errors import StoreUnavailable

_PAUSE_SECONDS = (0.5, 10.0)
_log = structlog.get_logger()


def until_open(
    open_: Callable[[], object], *, sleep: Callable[[float], object] = time.sleep
) -> None:
    """Call it again, after growing pauses, until it no longer raises StoreUnavailable.

    Nothing has been started that SIGTERM would have to finish: the process ends at once, with 0.
    """
    pause, longest = _PAUSE_SECONDS
    with _ending_at_sigterm():
        while True:
            try:
                open_()
            except StoreUnavailable as error:
                _log.warning("store unavailable", reason=str(error), retry_in=pause)
                sleep(pause)
                pause = min(2 * pause, longest)
            else:
                return


@contextmanager
def _ending_at_sigterm() -> Iterator[None]:
    """End the process at SIGTERM; the first one of a container would ignore it otherwise."""

    def end(*_: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
