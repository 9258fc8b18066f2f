"""What a client sees of a mail: of an older limbo's entry, and of what a provider said."""

from dataclasses import replace

import pytest

from limbo.domain.delivery.lifecycle import Status
from limbo.domain.delivery.verdict import Attempt, Cause, Failed, Fault
from limbo.entrypoints.http.api.representations import mail_entry, mail_resource
from limbo.ports.ledger_reader import Record, RecordedAttempt

OLDER = Record(
    id="id",
    client="shop",
    status=Status.SENT,
    submitted_at=1.0,
    updated_at=2.0,
    from_="a@b.example",
    to=["c@d.example", "hidden@d.example"],
    subject="s",
    mail=None,
)


def test_recipients_are_never_merged_into_to():
    for shown in (mail_entry(OLDER, tells_all=False), mail_resource(OLDER, tells_all=False)):
        assert shown["recipients"] == ["c@d.example", "hidden@d.example"]
        assert not {"to", "cc", "bcc"} & shown.keys()


@pytest.mark.parametrize("fault", Fault)
def test_a_client_reads_what_is_about_its_mail_and_an_admin_all(fault):
    said = "HTTPSConnectionPool(host='proxy.internal'): arn:aws:iam::123456789012:user/mailer"
    verdict = Failed(fault, said)
    attempt = Attempt(sender="ses", started_at=1.0, duration=0.5, verdict=verdict)
    record = replace(
        OLDER,
        cause=Cause(kind=fault, sender="ses", reason=said),
        attempts=(RecordedAttempt(sender="ses", started_at=1.0, attempt=attempt),),
    )
    is_about_the_mail = fault in {Fault.MAIL, Fault.IDENTITY, Fault.RATE}
    for tells_all in (False, True):
        resource = mail_resource(record, tells_all=tells_all)
        reads_all = tells_all or is_about_the_mail
        assert (resource["cause"]["reason"] == said) is reads_all
        assert (resource["attempts"][0]["reason"] == said) is reads_all
