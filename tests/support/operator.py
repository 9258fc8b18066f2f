"""An operator of dead letters, on a queue in memory."""

from contextlib import nullcontext
from functools import partial

from limbo.adapters.memory.audit_log import MemoryAuditLog
from limbo.adapters.memory.queue import MemoryQueue
from limbo.domain.access.audit import Actor
from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Death, Failed, Fault
from limbo.entrypoints.cli.dead_letters.command import command
from limbo.entrypoints.telemetry.audit import Audit
from tests.contracts.queue import take
from tests.support.command_line import CommandLine
from tests.support.mails import a_mail

KEY = Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="401 Forbidden")
KEY_SHOWN = {
    "id": KEY.id,
    "kind": "account",
    "sender": "mailgun",
    "reason": "401 Forbidden",
}
REGION = Cause(kind=Fault.ACCOUNT, sender="mailgun", reason="404 Domain not found")
REFUSED = Cause(kind=Fault.MAIL, sender="ses", reason="MessageRejected: virus")
ATTEMPTS = (
    Attempt(
        sender="ses", started_at=1e9, duration=0.25, verdict=Failed(Fault.RATE, "Throttling", 30.0)
    ),
    Attempt(sender="ses", started_at=1e9, duration=1.0, verdict=Failed(Fault.OUTAGE, "reset")),
    Attempt(sender="smtp", started_at=1e300, duration=1.0, verdict=Accepted("<1@x>")),
)


class Operator:
    """Buries mails, types commands, and keeps what they print."""

    def __init__(self, *, terminal: bool = False) -> None:
        self.queue = MemoryQueue()
        self.dead_letters = self.queue.dead_letters
        self.audit_log = MemoryAuditLog()
        audit = Audit(self.audit_log, lambda: 1e9)
        audited = partial(audit.recorded, Actor(who="user:zoë", origin="command@here"))
        self.limbo = CommandLine(
            commands=[command(lambda _: nullcontext((self.dead_letters, audited)))],
            terminal=terminal,
        )

    def bury(self, cause: Cause, count: int = 1, **changes: object) -> list[str]:
        self.queue.put([a_mail(**changes) for _ in range(count)])
        leases = take(self.queue, count)
        for lease in leases:
            self.queue.bury(lease, Death(cause=cause, attempts=ATTEMPTS))
        return [lease.mail.id for lease in leases]

    def type(self, line: str, answer: str = "", width: int | None = None) -> int:
        return self.limbo.type("dead-letters", *line.split(), answer=answer, width=width)

    @property
    def out(self) -> str:
        return self.limbo.out

    @property
    def err(self) -> str:
        return self.limbo.err
