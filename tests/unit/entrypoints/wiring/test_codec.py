import subprocess
import sys

import pytest

from limbo.adapters.encoding.mail_codec import PLAIN
from limbo.entrypoints.wiring.codec import mail_codec
from tests.support.body_keys import a_codec, a_key, a_setting
from tests.support.mails import a_mail
from tests.support.sql import open_database

# As on a machine that has no such package.
_WITHOUT = """
import sys
sys.modules["cryptography"] = None
from limbo.entrypoints.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_keys_nothing_is_encrypted():
    assert mail_codec({}) is PLAIN


def test_with_keys_the_first_one_encrypts_and_all_decrypt():
    codec, mail = mail_codec({"new": a_key("new"), "old": a_key("old")}), a_mail()
    assert a_codec("new").decode(codec.encode(mail), "name") == mail
    assert codec.decode(a_codec("old").encode(mail), "name") == mail


@pytest.mark.parametrize(("keys", "code"), [(a_setting("k1"), 2), ("", 0)])
def test_where_cryptography_is_missing_keys_are_refused_at_the_start(tmp_path, keys, code):
    environ = {
        "LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db",
        "LIMBO_SENDERS": "fake",
        "LIMBO_BODY_KEYS": keys,
    }
    open_database(environ["LIMBO_QUEUE"]).close()
    ended = subprocess.run(
        [sys.executable, "-c", _WITHOUT, "dead-letters", "causes"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == code
    assert ("pip install cryptography" in ended.stderr) is bool(code)
