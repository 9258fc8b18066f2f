"""What is said of mails when PostgreSQL is lost amid the commit that keeps them."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from limbo.adapters.sql.postgres import PostgresDatabase
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.submission import SqlOutbox
from limbo.ports.outbox import Idempotency, Submission
from limbo.ports.queue import Kept, NotKept
from tests.support.mails import a_mail
from tests.support.working import until

_FUNCTION = """
    CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; END $$
"""
_TRIGGER = """
    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON limbo_queue
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()
"""


class Proxy:
    """Passes everything on, and from the word ``until`` on no answer any more.

    Then it cuts the connection, unless it is to be ``silent``; the word itself it passes on if it
    ``delivers``.
    """

    def __init__(self, server: Path) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.address = self._listener.getsockname()
        self.until = b""
        self.delivers = True
        self.silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with cutting(*self._sockets):
            pass
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._sockets += [client, server]
                lost = threading.Event()
                for way in (
                    lambda c=client, s=server, x=lost: self._ask(c, s, x),
                    lambda c=client, s=server, x=lost: self._answer(c, s, x),
                ):
                    threading.Thread(target=way, daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with cutting(client, server):
            while data := client.recv(65536):
                if self.until and self.until in data:
                    lost.set()
                    if not self.delivers:
                        return
                server.sendall(data)

    def _answer(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with cutting(client, server):
            while data := server.recv(65536):
                if not lost.is_set():
                    client.sendall(data)
                elif not self.silent:
                    return


@contextlib.contextmanager
def cutting(*sockets: socket.socket) -> Iterator[None]:
    """Cut the connections at the end."""
    with contextlib.suppress(OSError):
        yield
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    [folder] = parse_qs(urlsplit(postgres_url).query)["host"]
    with contextlib.closing(Proxy(Path(folder) / ".s.PGSQL.5432")) as opened:
        yield opened


@pytest.fixture
def cut(
    proxy: Proxy,
    postgres_url: str,
    direct: PostgresDatabase,  # noqa: ARG001 - its migrations are not to be awaited here
) -> Iterator[PostgresDatabase]:
    """The database behind the proxy."""
    host, port = proxy.address
    name = urlsplit(postgres_url).path
    url = f"postgresql://limbo@{host}:{port}{name}?sslmode=disable&gssencmode=disable"
    with contextlib.closing(PostgresDatabase.connect(url, answer_seconds=3.0)) as opened:
        yield opened


@pytest.fixture
def direct(postgres_url: str) -> Iterator[PostgresDatabase]:
    with contextlib.closing(PostgresDatabase.connect(postgres_url)) as opened:
        yield opened


def put(database: PostgresDatabase) -> list[object]:
    return [*SqlQueue(database).put([a_mail()])]


def submit(database: PostgresDatabase) -> list[object]:
    return [*SqlOutbox(database).submit([Submission(mail=a_mail())])]


def submit_with_key(database: PostgresDatabase) -> list[object]:
    mail = a_mail()
    return [
        *SqlOutbox(database).submit([Submission(mail=mail, idempotency=Idempotency(mail.id, "f"))])
    ]


def at_commit(database: PostgresDatabase, does: str) -> None:
    database.execute(_FUNCTION.format(does=does))
    database.execute(_TRIGGER)


def is_in_doubt(answer: object) -> bool:
    assert isinstance(answer, NotKept)
    return answer.in_doubt


COMMITS = {
    put: b"INSERT INTO limbo_queue",
    submit: b"INSERT INTO limbo_queue",
    submit_with_key: b"COMMIT",
}
silent_or_not = pytest.mark.parametrize("silent", [False, True], ids=["cut", "silent"])


@pytest.mark.parametrize("keep", COMMITS)
@silent_or_not
def test_a_commit_whose_answer_is_lost_is_in_doubt(proxy, cut, direct, keep, silent):
    proxy.until, proxy.silent = COMMITS[keep], silent
    [answer] = keep(cut)
    assert is_in_doubt(answer)
    until(lambda: SqlQueue(direct).depth().ready == 1)
    proxy.until = b""
    assert keep(cut) == [Kept()]


@pytest.mark.parametrize("keep", COMMITS)
def test_a_commit_that_never_arrived_is_in_doubt_as_well(proxy, cut, direct, keep):
    proxy.until, proxy.delivers = COMMITS[keep], False
    [answer] = keep(cut)
    assert is_in_doubt(answer)
    assert SqlQueue(direct).depth().ready == 0


@pytest.mark.parametrize("word", [b"BEGIN", b"INSERT INTO limbo_mails", b"INSERT INTO limbo_queue"])
@silent_or_not
def test_what_is_lost_before_the_commit_is_not_kept(proxy, cut, direct, word, silent):
    proxy.until, proxy.silent = word, silent
    [answer] = submit_with_key(cut)
    assert not is_in_doubt(answer)
    assert SqlQueue(direct).depth().ready == 0


@pytest.mark.parametrize("keep", COMMITS)
def test_a_server_that_ends_the_connection_amid_the_commit_leaves_it_in_doubt(direct, keep):
    at_commit(direct, "PERFORM pg_terminate_backend(pg_backend_pid())")
    [answer] = keep(direct)
    assert is_in_doubt(answer)


@pytest.mark.parametrize("keep", COMMITS)
def test_a_commit_that_the_server_refuses_keeps_nothing(direct, keep):
    at_commit(direct, "RAISE EXCEPTION 'no'")
    assert keep(direct) == [NotKept(reason="no")]
    assert SqlQueue(direct).depth().ready == 0
    assert direct.execute("SELECT id FROM limbo_mails") == []


@pytest.mark.parametrize("keep", COMMITS)
def test_a_server_that_is_not_there_keeps_nothing(proxy, cut, keep):
    cut.close()
    proxy.close()
    [answer] = keep(cut)
    assert not is_in_doubt(answer)
