"""Processes of limbo: tests start and kill them, and read their logs, like an operator."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import pytest

from tests.support import forked

LIMBO = (str(Path(sys.executable).with_name("limbo")),)
_READY_SECONDS = 60.0
_OURS = ("LIMBO_", "AWS_")
_ORIGINALS = {"QUEUE", "DEADLETTERQUEUE", "REGION", "SESSOURCE", "MAILGUN", "DOMAIN", "PORT"}
_TAIL = 4000
_ANONYMOUS = {"LIMBO_ALLOW_ANONYMOUS": "send,read"}


def reserved_port() -> socket.socket:
    """Return a socket that keeps its port of 127.0.0.1 for a process of the test's own.

    While it is open, the system does not give the port to a socket that asks for any port. A server
    that asks for this port gets it: both have set SO_REUSEADDR, and only the server listens.
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation


class LimboProcess:
    """A process of limbo; after its end it can be started again on the same port.

    Anybody may send and read, unless the environment says otherwise.
    """

    def __init__(
        self,
        command: str,
        name: str,
        environ: Mapping[str, str],
        folder: Path,
        program: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self._reservation = reserved_port()
        self.port: int = self._reservation.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command
        self._program = program
        variable = "LIMBO_WORKER_PORT" if command == "worker" else "LIMBO_PORT"
        anonymous = {} if command == "dev" else _ANONYMOUS
        self._environ = {**_neutral(os.environ), **anonymous, **environ, variable: str(self.port)}
        self._folder = folder
        self._logs: list[Path] = []
        self._process: subprocess.Popen[bytes] | forked.ForkedProcess | None = None

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        log = self._folder / f"{self.name}-{len(self._logs)}.log"
        self._logs.append(log)
        with log.open("wb") as out:
            self._process = self._start(out)

    def wait_until_ready(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + _READY_SECONDS
        while self.status("/livez") != 200:
            if self._running.poll() is not None or time.monotonic() > until:
                pytest.fail(f"{self.name} does not start:\n{self.tail()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash would, at once."""
        self._running.kill()
        self._running.wait(10)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; do not wait."""
        self._running.send_signal(number)

    def terminate(self, seconds: float = 60.0) -> tuple[int, float]:
        """End it as an operator does; return its exit code and how many seconds it took."""
        began = time.monotonic()
        self._running.send_signal(signal.SIGTERM)
        return self._running.wait(seconds), time.monotonic() - began

    def wait(self, seconds: float = 60.0) -> int:
        """Wait until it has ended by itself; return its exit code."""
        return self._running.wait(seconds)

    def status(self, path: str) -> int:
        """Return the status of an answer, 0 when there is none."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def resident_bytes(self) -> int:
        """Return how much memory it holds (Linux)."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._running.pid

    def metric(self, name: str) -> float:
        """Return the value of one sample, by its name and labels as they are shown; else 0."""
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
                lines = answer.read().decode().splitlines()
        except urllib.error.HTTPError as error:  # the queue does not answer in time
            error.close()
            lines = []
        except OSError:  # nor does the process
            lines = []
        samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return float(samples.get(name, 0))

    def events(self) -> Iterator[Mapping[str, object]]:
        """Yield the events of all its runs; a line that a kill cut off is left out."""
        for log in self._logs:
            for line in log.read_bytes().splitlines():
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    yield event

    def log(self) -> str:
        """Return what it has printed, in all its runs."""
        return "".join(log.read_text(errors="replace") for log in self._logs)

    def tail(self) -> str:
        """Return the end of its log."""
        return self.log()[-_TAIL:]

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._reservation.close()

    def _start(self, out: IO[bytes]) -> subprocess.Popen[bytes] | forked.ForkedProcess:
        if self._program is None:
            return forked.start(self._command, environ=self._environ, stdout=out, stderr=out)
        return subprocess.Popen(
            [*self._program, self._command],
            cwd=forked.ROOT,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )

    @property
    def _running(self) -> subprocess.Popen[bytes] | forked.ForkedProcess:
        assert self._process is not None, f"{self.name} was not started"
        return self._process


class Fleet:
    """The processes of one test, which share their settings; all end with it."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)
        self.processes: list[LimboProcess] = []
        self._folder = folder

    def start(
        self,
        command: str,
        name: str,
        environ: Mapping[str, str] | None = None,
        *,
        program: Sequence[str] | None = None,
    ) -> LimboProcess:
        """Start a process, without waiting until it is ready."""
        merged = {**self.environ, **(environ or {})}
        process = LimboProcess(command, name, merged, self._folder, program)
        self.processes.append(process)
        process.start()
        return process

    def events(self) -> list[Mapping[str, object]]:
        """Return all that they logged, in the order of the time."""
        events = [event for process in self.processes for event in process.events()]
        return sorted(events, key=lambda event: str(event.get("timestamp")))

    def marked(self) -> set[str]:
        """Return the ids of all mails that some log calls a possible duplicate."""
        return {str(e["mail_id"]) for e in self.events() if e.get("possible_duplicate")}

    def close(self) -> None:
        """End all of them."""
        for process in self.processes:
            process.close()


def _neutral(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without variables that limbo or its HTTP client reads."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_OURS)
        and name not in _ORIGINALS
        and not name.lower().endswith("_proxy")
    }
