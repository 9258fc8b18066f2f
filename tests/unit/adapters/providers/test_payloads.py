"""Whatever a field of a mail holds reaches each provider: none may take a mail and lose a part."""

import pytest
import responses

from limbo.adapters.providers.mailgun.sender import MailgunSender
from limbo.adapters.providers.ses.sender import SesSender
from limbo.domain.delivery.verdict import Accepted
from limbo.domain.mail.address import Address
from limbo.domain.mail.mail import Mail
from tests.support.mail_fields import VALID, changed, parsed

SOURCES = [None, Address("ses@b.example")]


class Ses:
    """Keeps what it is sent."""

    def send_email(self, **request):
        self.request = request
        return {"MessageId": "1"}


def posted(mail):
    """Return what Mailgun is posted."""
    sender = MailgunSender.connect(name="mailgun", key="key", domain="mg.example")
    with responses.RequestsMock() as mailgun:
        mailgun.post("https://api.mailgun.net/v3/mg.example/messages", json={"id": "1"})
        assert sender.send(mail) == Accepted("1")
        return mailgun.calls[0].request.body


def sent(mail, source):
    """Return what SES is sent."""
    client = Ses()
    assert SesSender(client, name="ses", source=source).send(mail) == Accepted("1")
    return client.request


@pytest.mark.parametrize("name", Mail.fields.names)
def test_each_field_reaches_mailgun(name):
    assert posted(changed(Mail, name)) != posted(parsed(Mail, VALID))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", Mail.fields.names)
def test_each_field_reaches_ses(name, source):
    assert sent(changed(Mail, name), source) != sent(parsed(Mail, VALID), source)
