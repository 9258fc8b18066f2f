"""Runs the parts of a process until a signal, and stops them in order."""

import gc
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

_SIGNALS = {signal.SIGTERM, signal.SIGINT}
_LOOK_SECONDS = 0.5
# How many objects are made and not freed before the garbage collector looks for cycles.
_COLLECT_AFTER = (10_000, 20, 100)
_log = structlog.get_logger()


class Part(Protocol):
    """Something that runs until it is told to stop."""

    def run(self) -> object:
        """Run, blocking, until ``stop`` has been called and obeyed."""
        ...

    def stop(self) -> None:
        """Begin to stop; any thread may call it, more than once."""
        ...


def hold_signals() -> None:
    """Block the signals that stop a process, before it has threads that they could be given to."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def collect_less() -> None:
    """Let the garbage collector look more rarely, and never at what exists by now and stays."""
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def run_parts(parts: Sequence[Part], started: Callable[[], None] = lambda: None) -> int:
    """Run the parts, each on a thread, until SIGTERM or SIGINT; return the exit code.

    They are stopped in their order, each ended before the next is told. A second signal exits at
    once, with 1. A part that ends by itself ends the process, with 1.
    """
    collect_less()
    # Blocked in every thread, and waited for in this one: no handler runs amid other code.
    hold_signals()
    threads = [threading.Thread(target=_run, args=(part,), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    started()
    signalled = False
    while not signalled and all(thread.is_alive() for thread in threads):
        signalled = signal.sigtimedwait(_SIGNALS, _LOOK_SECONDS) is not None
    _log.info("stopping")
    threading.Thread(target=_exit_at_next_signal, daemon=True).start()
    for part, thread in zip(parts, threads, strict=True):
        part.stop()
        thread.join()
    _log.info("stopped")
    return 0 if signalled else 1


def _run(part: Part) -> None:
    try:
        part.run()
    except Exception:  # noqa: BLE001 - the other parts must be stopped in order
        _log.exception("part failed", part=type(part).__name__)


def _exit_at_next_signal() -> None:
    signal.sigwait(_SIGNALS)
    os._exit(1)
