"""schemathesis, with all its checks, against a real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from limbo.domain.access.api_key import KeyScope
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.delivery.verdict import Cause
from tests.support.server import serving
from tests.support.whole_app import ACCEPTED, FAILED, WholeApp

ROOT = Path(__file__).parents[5]
GONE = Cause(kind="outage", sender="fake.a", reason="gone")


def a_site(anonymous):
    """Return a site with mails in every state and dead letters, on which no wait lasts."""
    site = WholeApp(anonymous=anonymous, long_polls=0)
    client, key = site.keys.create(*KeyScope)
    for number in range(20):
        mail = site.submit(client, subject=f"mail {number}")
        match number % 4:
            case 0:
                site.try_out(mail, Status.SENT, ACCEPTED)
            case 1:
                site.try_out(mail, Status.DEFERRED, FAILED)
            case 2:
                site.try_out(mail, Status.SENDING)
            case _:
                site.bury(GONE)
    return site, key


@pytest.mark.schemathesis
@pytest.mark.parametrize("anonymous", [(), KeyScope], ids=["with a key", "anonymous"])
def test_schemathesis_finds_nothing(anonymous, tmp_path):
    site, key = a_site(anonymous)
    with serving(site.app) as (host, port):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--no-color"),
                *("--config-file", ROOT / "tests/support/schemathesis.toml"),
                *("run", f"http://{host}:{port}/openapi.json"),
                *([] if anonymous else ["--header", f"Authorization: Bearer {key}"]),
                *("--max-examples", "50", "--seed", "1", "--generation-database", "none"),
                *("--continue-on-failure", "--request-timeout", "10"),
            ],
            cwd=tmp_path,
            env=os.environ
            | {"PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks"},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Stateful" in done.stdout
