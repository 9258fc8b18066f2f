"""The programs of the benchmarks: limbo, stubs and loads, each in a process of its own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.support.report import ROOT
from tests.support.postgres import running_postgres

_READY_SECONDS = 30.0
_LIMBO = "import sys; from limbo.entrypoints.cli.main import main; sys.exit(main())"
_TICKS = os.sysconf("SC_CLK_TCK")
_LOCAL = {
    "LIMBO_ALLOW_ANONYMOUS": "true",
    "LIMBO_SENDERS": "fake",
    "NO_PROXY": "127.0.0.1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Program:
    """A running process that serves HTTP."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> bytes:
        """Return the body of the response."""
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            body: bytes = response.read()
            return body

    def wait(self, path: str) -> float:
        """Wait until it answers; return the time of ``time.perf_counter`` then."""
        until = time.monotonic() + _READY_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.get(path)
                return time.perf_counter()
            time.sleep(0.005)
        msg = f"process {self.process.args!r} does not answer"
        raise RuntimeError(msg)

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_bytes(self) -> int:
        """Return its resident memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def limbo(
    command: str, queue: str, environ: Mapping[str, str] | None = None, *, ready: str = "/livez"
) -> Iterator[Program]:
    """Run ``limbo api``, ``worker`` or ``dev``, and wait for it unless ``ready`` is empty."""
    port = free_port()
    variable = "LIMBO_WORKER_PORT" if command == "worker" else "LIMBO_PORT"
    settings = {**_LOCAL, "LIMBO_QUEUE": queue, variable: str(port), **(environ or {})}
    with running([sys.executable, "-c", _LIMBO, command], port, settings, ready=ready) as program:
        yield program


@contextmanager
def module(name: str, *arguments: str, ready: str = "/") -> Iterator[Program]:
    """Run a module of the benchmarks that takes a port as its first argument."""
    port = free_port()
    command = [sys.executable, "-m", f"benchmarks.{name}", str(port), *arguments]
    with running(command, port, {}, ready=ready) as program:
        yield program


@contextmanager
def running(
    command: list[str], port: int, settings: Mapping[str, str], *, ready: str
) -> Iterator[Program]:
    """Run a command until the block ends."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LIMBO_")}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**environ, **settings}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            program = Program(process, port)
            if ready:
                try:
                    program.wait(ready)
                except RuntimeError:
                    log.seek(0)
                    sys.stderr.write(log.read()[-4000:].decode(errors="replace"))
                    raise
            yield program
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def load(
    program: Program,
    *,
    connections: int = 64,
    seconds: float = 2.0,
    rate: float = 0,
    count: int = 0,
) -> Mapping[str, Any]:
    """Post mails from another process; return its result, as ``load.py`` prints it."""
    command = [sys.executable, "-m", "benchmarks.support.load", str(program.port)]
    numbers = [str(number) for number in (connections, seconds, rate, count)]
    done = subprocess.run([*command, *numbers], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    result: Mapping[str, Any] = json.loads(done.stdout)
    if result["errors"]:
        msg = f"{result['errors']} of {result['count']} requests failed"
        raise RuntimeError(msg)
    return result


@contextmanager
def databases(count: int = 1) -> Iterator[Mapping[str, list[str]]]:
    """Make databases of SQLite and PostgreSQL; yield their URLs by the name of their kind."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres(fsync=True) as server,
    ):
        yield {
            "SQLite": [f"sqlite:///{folder}/limbo-{number}.db" for number in range(count)],
            "PostgreSQL": [server.new_database() for _ in range(count)],
        }


def free_port() -> int:
    """Return a free port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
