"""Runs the parts of a process until a signal arrives, and stops them in order."""

import gc
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

_INSISTENT = {signal.SIGTERM, signal.SIGINT}
# The garbage collector looks for cycles after this many new objects that are not freed.
_COLLECT_AFTER = (10_000, 20, 100)
_log = structlog.get_logger()


class Part(Protocol):
    """Something that runs until it is told to stop."""

    def run(self) -> object:
        """Block and work until ``stop`` was called and everything is finished."""
        ...

    def stop(self) -> None:
        """Start to stop; any thread may call it, more than once."""
        ...


def hold_signals() -> None:
    """Block the signals that stop a process; call it before any thread is started."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _stopping())


def _stopping() -> set[signal.Signals]:
    """Return the signals that stop a process. SIGHUP is one unless nohup had it ignored.

    A blocked signal is delivered to ``sigwait`` even if it is ignored.
    """
    hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    return _INSISTENT | ({signal.SIGHUP} if hangs_up else set())


def collect_less() -> None:
    """Let the garbage collector run more rarely, and skip the objects that exist by now."""
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def run_parts(parts: Sequence[Part], started: Callable[[], None] = lambda: None) -> int:
    """Run the parts, each on a thread, until SIGTERM, SIGINT or SIGHUP; return the exit code.

    The parts are stopped in their order; each has ended before the next is stopped. A second signal
    exits at once, with 1; SIGHUP is not counted, as what closes a terminal or a session sends it
    beside others. A part that ends by itself ends the process, with 1.
    """
    collect_less()
    # All threads block the signals, and one waits for them: no handler interrupts other code.
    hold_signals()
    signalled, ending = threading.Event(), threading.Event()
    threads = [threading.Thread(target=_run, args=(part, ending), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    started()
    threading.Thread(target=_await_signals, args=(signalled, ending), daemon=True).start()
    ending.wait()
    _log.info("stopping")
    for part, thread in zip(parts, threads, strict=True):
        part.stop()
        thread.join()
    _log.info("stopped")
    return 0 if signalled.is_set() else 1


def _run(part: Part, ending: threading.Event) -> None:
    try:
        part.run()
    except Exception:  # noqa: BLE001 - the other parts must be stopped in order
        _log.exception("part failed", part=type(part).__name__)
    finally:
        ending.set()


def _await_signals(signalled: threading.Event, ending: threading.Event) -> None:
    """Pass on the first signal, and exit at the second, not counting SIGHUP.

    ``sigtimedwait`` is no choice: after a pause (SIGSTOP, a debugger, a freezer) that is longer
    than its time-out, Python returns neither None nor a signal, but what lay in memory.
    """
    insisted = 0
    while insisted < 2:  # noqa: PLR2004 - the second one
        got = signal.sigwait(_stopping())
        insisted += got in _INSISTENT
        if not signalled.is_set():
            signalled.set()
            ending.set()
            _log.info("told to stop", signal=signal.Signals(got).name)
    os._exit(1)
