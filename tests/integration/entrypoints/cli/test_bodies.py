"""When an old key may go: what is stored under which key, while keys are rotated."""

import json

import pytest

from limbo.domain.delivery.verdict import Cause, Death
from limbo.entrypoints.wiring.container import opened
from limbo.ports.outbox import Submission
from tests.contracts.queue import take
from tests.support.body_keys import a_setting
from tests.support.command_line import CommandLine
from tests.support.mails import a_mail

CAUSE = Cause(kind="mail", sender="ses", reason="refused")


@pytest.fixture(params=["sqlite", "postgresql"])
def limbo(request, tmp_path):
    url = f"sqlite:///{tmp_path}/limbo.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    return CommandLine({"LIMBO_QUEUE": url})


def submit(limbo, *, bury=False):
    with opened(limbo.environ) as container:
        container.outbox().submit([Submission(mail=a_mail())])
        if bury:
            [lease] = take(container.queue(), 1)
            container.queue().bury(lease, Death(cause=CAUSE))


def stored(limbo):
    assert limbo.type("bodies", "--json") == 0
    document = json.loads(limbo.out)
    return {(x["place"], x["key"] and x["key"][:2]): x["mails"] for x in document["data"]}


def test_mails_are_counted_by_place_and_key_while_keys_are_rotated(limbo):
    submit(limbo, bury=True)
    limbo.environ["LIMBO_BODY_KEYS"] = a_setting("k1")
    submit(limbo, bury=True)
    limbo.environ["LIMBO_BODY_KEYS"] = a_setting("k2", "k1")
    submit(limbo)
    expected = {
        ("queue", "k2"): 1,
        ("ledger", None): 1,
        ("ledger", "k1"): 1,
        ("ledger", "k2"): 1,
        ("dead_letters", None): 1,
        ("dead_letters", "k1"): 1,
    }
    assert stored(limbo) == expected
    del limbo.environ["LIMBO_BODY_KEYS"]
    assert stored(limbo) == expected, "a key that is missing here is counted as well"
    assert limbo.type("bodies") == 0
    assert "in plain" in limbo.out


def test_on_sqs_the_dead_letters_and_the_ledger_apart_are_counted(aws, tmp_path, monkeypatch):
    for name, value in (
        ("AWS_ENDPOINT_URL_SQS", aws.url),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(name, value)
    limbo = CommandLine(
        {
            "LIMBO_QUEUE": aws.queue(fifo=True),
            "LIMBO_DEAD_LETTER_QUEUE": aws.queue(fifo=True),
            "LIMBO_REGION": "eu-west-1",
            "LIMBO_LEDGER": f"sqlite:///{tmp_path}/ledger.db",
            "LIMBO_BODY_KEYS": a_setting("k1"),
        }
    )
    submit(limbo, bury=True)
    assert stored(limbo) == {("dead_letters", "k1"): 1, ("ledger", "k1"): 1}
