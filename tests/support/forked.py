"""Processes of limbo that a template forks: each starts at once, and is a process like any."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import pytest

from tests.support.template import NUMBER, REQUEST_BYTES

ROOT = Path(__file__).parents[2]
_IMPORT_SECONDS = 60.0


class ForkedProcess:
    """A process of limbo, shown as ``subprocess.Popen`` would show it."""

    def __init__(self, pid: int, news: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._news = news

    def poll(self) -> int | None:
        """Return its exit code, None while it runs; minus the signal's number, if one ended it."""
        return self._await_end(0)

    def wait(self, timeout: float) -> int:
        """Return its exit code once it has ended."""
        code = self._await_end(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"limbo, process {self.pid}", timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a crash would."""
        self.send_signal(signal.SIGKILL)

    def _await_end(self, seconds: float) -> int | None:
        if self.returncode is None:
            self.returncode = _next_number(self._news, seconds)
            if self.returncode is not None:
                os.close(self._news)
        return self.returncode


def start(
    *arguments: str,
    environ: Mapping[str, str],
    cwd: Path = ROOT,
    stdout: IO[bytes],
    stderr: IO[bytes],
) -> ForkedProcess:
    """Start ``limbo`` with these arguments; it reads nothing, and writes into those files."""
    request = {"arguments": arguments, "environ": {**environ}, "cwd": str(cwd)}
    message = json.dumps(request).encode()
    assert len(message) < REQUEST_BYTES
    news, theirs = os.pipe()
    descriptors = [stdout.fileno(), stderr.fileno(), theirs]
    try:
        _template.ask(message, descriptors)
    finally:
        os.close(theirs)
    pid = _next_number(news, _IMPORT_SECONDS)
    assert pid is not None, "the template does not fork"
    return ForkedProcess(pid, news)


def run(
    *arguments: str, environ: Mapping[str, str], cwd: Path = ROOT, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run ``limbo`` with these arguments to its end; return what it wrote."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        process = start(*arguments, environ=environ, cwd=cwd, stdout=out, stderr=error)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        texts = [_content(file) for file in (out, error)]
    return subprocess.CompletedProcess(arguments, code, *texts)


class _Template:
    """The program that forks, started when it is first asked, and the socket that it reads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def ask(self, message: bytes, descriptors: Sequence[int]) -> None:
        if self._requests is None:
            self._requests = self._started()
        socket.send_fds(self._requests, [message], descriptors)

    def end(self) -> None:
        if self._requests is not None and self._process is not None:
            self._requests.close()
            self._process.wait(_IMPORT_SECONDS)
            self._requests = None

    def _started(self) -> socket.socket:
        requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.template", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return requests


_template = _Template()


@pytest.fixture(scope="session", autouse=True)
def template_ends() -> Iterator[None]:
    """End the template with the tests: what it measured is wanted before the report is made."""
    yield
    _template.end()


def _next_number(pipe: int, seconds: float) -> int | None:
    if not select.select([pipe], [], [], seconds)[0]:
        return None
    (number,) = NUMBER.unpack(os.read(pipe, NUMBER.size))
    return int(number)


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
