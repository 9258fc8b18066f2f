"""The audit of the locked packages: its database answers, is away, or hangs."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[2]
VULNERABILITY = {
    "id": "PYSEC-2099-1",
    "summary": "invented",
    "affected": [
        {"package": {"ecosystem": "PyPI", "name": "starlette"}, "versions": [], "ranges": []}
    ],
}


@contextmanager
def database(vulnerable: str = "", *, hangs: bool = False) -> Iterator[str]:
    """Run a database in which that package has a vulnerability."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if hangs:
                over.wait(30)
            hit = asked["package"]["name"] == vulnerable
            body = json.dumps({"vulns": [VULNERABILITY]} if hit else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def audit(url: str, seconds: int = 110) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "AUDIT_URL": url, "AUDIT_SECONDS": str(seconds)}
    return subprocess.run(
        [ROOT / ".ci" / "audit"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_packages_without_a_known_vulnerability_pass():
    with database() as url:
        ended = audit(url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "no locked package has a known vulnerability" in ended.stdout


def test_a_locked_package_with_a_known_vulnerability_fails_and_is_named():
    with database("starlette") as url:
        ended = audit(url)
    assert ended.returncode == 1
    assert "starlette" in ended.stderr
    assert "PYSEC-2099-1" in ended.stderr


def test_a_database_that_cannot_be_reached_fails_nothing_and_is_told():
    with database() as url:
        pass
    ended = audit(url)
    assert ended.returncode == 0
    assert "skipped" in ended.stdout


def test_a_database_that_does_not_answer_in_time_fails_nothing_and_is_told():
    with database(hangs=True) as url:
        ended = audit(url, seconds=5)
    assert ended.returncode == 0
    assert "skipped" in ended.stdout
