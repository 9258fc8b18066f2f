"""What a client sees of an entry that an older limbo made."""

from limbo.domain.delivery.lifecycle import Status
from limbo.entrypoints.http.api.representations import mail_entry, mail_resource
from limbo.ports.ledger_reader import Record

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
