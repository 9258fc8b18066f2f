"""The HTTP application over a real queue and ledger, with clients that have API keys."""

import time
from collections.abc import Iterable
from typing import Any

from limbo.adapters.memory.audit_log import MemoryAuditLog
from limbo.adapters.memory.ledger import MemoryLedger
from limbo.adapters.memory.queue import MemoryQueue
from limbo.adapters.outbox.ledger_first import LedgerFirstOutbox
from limbo.adapters.sql.database import Database
from limbo.adapters.sql.ledger import SqlLedger
from limbo.adapters.sql.queue import SqlQueue
from limbo.adapters.sql.submission import SqlOutbox
from limbo.domain.access.allow_list import parse_allow_list
from limbo.domain.access.api_key import ANONYMOUS, ApiKey, KeyScope
from limbo.domain.access.credential import new_credential
from limbo.domain.delivery.lifecycle import End, Start, Status
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Death, Failed, Fault
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import Mail, parse_mail
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.telemetry.audit import Audit
from limbo.ports.outbox import Submission
from tests.support.api_keys import MemoryApiKeys
from tests.support.http_app import MAIL, HttpApp

ACCEPTED = Accepted("p-1")
FAILED = Failed(Fault.OUTAGE, "cannot reach it")


class ClientKeys(MemoryApiKeys):
    """The API keys of the clients that a test makes."""

    def create(
        self, *scopes: KeyScope, allowed_from: Iterable[str] = ("*",), **fields: Any
    ) -> tuple[str, str]:
        """Return the new key's id, and the key as it is sent."""
        credential = new_credential()
        allowed = parse_allow_list(allowed_from if KeyScope.SEND in scopes else ())
        key = ApiKey(
            id=credential.id,
            name="a test's",
            sha256=credential.sha256,
            scopes=frozenset(scopes),
            allowed_from=allowed,
            created_at=1.0,
            **fields,
        )
        self.add(key)
        return key.id, credential.reveal()


_GONE = Cause(kind="outage", sender="fake.a", reason="gone")


class WholeApp(HttpApp):
    """In memory, or in a database; ``anonymous`` are the scopes of clients without an API key."""

    def __init__(
        self,
        *,
        anonymous: Iterable[KeyScope] = (),
        database: Database | None = None,
        ledger: MemoryLedger | None = None,
        **options: Any,
    ) -> None:
        self.keys = ClientKeys()
        if database is None:
            self.mails = MemoryQueue()
            self.ledger = self.ledger_reader = ledger or MemoryLedger()
            self.real_outbox = LedgerFirstOutbox(self.mails, self.ledger)
        else:
            self.mails = SqlQueue(database)
            self.ledger = SqlLedger(database)
            self.ledger_reader = self.ledger.ledger_reader
            self.real_outbox = SqlOutbox(database)
        self.access = Access(self.keys, anonymous_scopes=frozenset(anonymous))
        parts = {
            "outbox": self.real_outbox,
            "readiness": self.mails,
            "ledger_reader": self.ledger_reader,
            "dead_letters": self.mails.dead_letters,
            "access": self.access,
            "audit": Audit(MemoryAuditLog(), time.time),
            "now": time.time,
        }
        super().__init__(**{**parts, **options})

    def submit(self, client: str = ANONYMOUS, key: str | None = None, **fields: Any) -> Mail:
        """Keep a mail, as if it had been posted."""
        now = time.time()
        mail = parse_mail(MAIL | fields, id=mail_id(now), submitted_at=now)
        self.real_outbox.submit([Submission(mail=mail, client=client, key=key)])
        return mail

    def try_out(
        self,
        mail: Mail,
        status: Status,
        verdict: Accepted | Failed | None = None,
        *,
        cause: Cause = _GONE,
    ) -> None:
        """Record a touch that ends so; without a verdict it does not end."""
        at = time.time()
        self.ledger.write([Start(mail_id=mail.id, sender="fake.a", started_at=at)])
        if verdict is None:
            return
        attempt = Attempt(sender="fake.a", started_at=at, duration=0.25, verdict=verdict)
        next_at = at + 30 if status is Status.DEFERRED else None
        end = End(
            mail_id=mail.id,
            status=status,
            at=at,
            attempts=[attempt],
            cause=cause if status == "dead" else None,
            next_at=next_at,
        )
        self.ledger.write([end])

    def bury(self, cause: Cause) -> None:
        """Move the next mail of the queue to the dead letters."""
        (lease,) = self.mails.receive(1, 0)
        attempt = Attempt(sender="fake.a", started_at=1.0, duration=0.5, verdict=FAILED)
        self.mails.bury(lease, Death(cause=cause, attempts=[attempt]))
