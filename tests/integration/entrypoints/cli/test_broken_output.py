"""A limbo whose standard output cannot be written."""

import os
import subprocess
import urllib.request

from tests.support.processes import LIMBO, Fleet, reserved_port
from tests.support.working import until


def test_mails_are_sent_though_no_line_can_be_logged(tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    fleet = Fleet(tmp_path, {"LIMBO_QUEUE": url, "LIMBO_SENDERS": "fake"})
    reservation = reserved_port()
    environ = {
        "PATH": os.environ["PATH"],
        "LIMBO_QUEUE": url,
        "LIMBO_SENDERS": "fake",
        "LIMBO_CONCURRENCY": "2",
        "LIMBO_WORKER_PORT": str(reservation.getsockname()[1]),
    }
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - it is no path, but a disk
        worker = subprocess.Popen([*LIMBO, "worker"], env=environ, stdout=full, cwd=tmp_path)
    try:
        api = fleet.start("api", "api")
        api.wait_until_ready()
        body = b'{"from": "a@b.example", "to": "c@d.example", "subject": "s", "message": "m"}'
        places = []
        for _ in range(10):
            request = urllib.request.Request(f"{api.url}/v1/mail", body)
            with urllib.request.urlopen(request, timeout=30) as answer:
                places.append(answer.headers["Location"])

        def is_sent(place):
            with urllib.request.urlopen(api.url + place, timeout=30) as answer:
                return b'"status":"sent"' in answer.read()

        until(lambda: all(is_sent(place) for place in places))
        worker.terminate()
        assert worker.wait(60) in {0, 120}  # 120: Python could not flush its standard output
    finally:
        worker.kill()
        fleet.close()
        reservation.close()
