"""How long limbo waits for a provider that does not even take the connection."""

import socket
import time
from contextlib import ExitStack

import pytest

from limbo.adapters.providers.mailgun.sender import MailgunSender
from limbo.adapters.providers.ses.sender import SesSender
from limbo.domain.delivery.verdict import Failed, Fault
from tests.support.mails import a_mail


@pytest.fixture
def silent_port():
    """A port whose queue of connections is full, so that the next gets no answer."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield listener.getsockname()[1]


def mailgun(url):
    return MailgunSender.connect(name="mailgun", key="k", domain="d.example", url=url)


def ses(_):
    return SesSender.connect(name="ses", region="eu-west-1")


@pytest.mark.parametrize("connect", [mailgun, ses])
def test_a_connection_is_given_up_after_three_seconds(connect, silent_port, monkeypatch):
    url = f"http://127.0.0.1:{silent_port}"
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    sender = connect(url)
    began = time.monotonic()
    verdict = sender.send(a_mail())
    assert isinstance(verdict, Failed)
    assert verdict.fault is Fault.OUTAGE
    assert 2.5 < time.monotonic() - began < 15
