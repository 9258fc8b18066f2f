"""How a submission is written into a SQL ledger, as a part of somebody's transaction."""

from collections.abc import Mapping, Sequence

import orjson

from limbo.adapters.encoding.codec import encode_mail
from limbo.adapters.outbox.once_per_key import Reservation, key_hash
from limbo.adapters.sql.database import Executor
from limbo.adapters.sql.ledger_statements import LedgerSql
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.mail.mail import Mail
from limbo.ports.outbox import KeyConflict, Replayed, Reserved, Submission


def claim(
    executor: Executor, sql: LedgerSql, submissions: Sequence[Submission]
) -> list[Reservation]:
    """Say under which id each mail is to be kept, if it is; no two have the same key.

    The keys are entered as used. Whoever enters one of them elsewhere waits for the transaction.
    """
    names = [key_hash(s.client, s.idempotency) if s.idempotency else b"" for s in submissions]
    # In one order, so that two transactions with the same keys cannot lock each other out.
    keyed = sorted(pair for pair in zip(names, range(len(names)), strict=True) if pair[0])
    answers: list[Reservation] = [Reserved(submission.mail.id) for submission in submissions]
    if not keyed:
        return answers
    rows = [(name, _fingerprint(submissions[at]), submissions[at].mail.id) for name, at in keyed]
    claimed = {
        bytes(name)
        for (name,) in executor.execute_many(
            sql.claim_keys, columns(("name", "fingerprint", "mail_id"), rows)
        )
    }
    taken = {name: _fingerprint(submissions[at]) for name, at in keyed if name not in claimed}
    if taken:
        found = _taken(executor, sql, taken)
        for name, at in keyed:
            if name not in claimed:
                # A key that is gone by now has just run out: whoever tries again gets it.
                answers[at] = found.get(name, KeyConflict.UNDER_WAY)
    return answers


def _taken(
    executor: Executor, sql: LedgerSql, fingerprints: Mapping[bytes, str]
) -> dict[bytes, Reservation]:
    """Answer for keys that were used before."""
    answers: dict[bytes, Reservation] = {}
    under_way: dict[bytes, str] = {}
    rows = executor.execute_many(sql.read_keys, {"name": [*fingerprints]})
    for name, fingerprint, mail_id, is_under_way in rows:
        if fingerprint != fingerprints[bytes(name)]:
            answers[bytes(name)] = KeyConflict.REUSED
        elif is_under_way:
            answers[bytes(name)] = KeyConflict.UNDER_WAY
            under_way[bytes(name)] = mail_id
        else:
            answers[bytes(name)] = Replayed(mail_id)
    if under_way:
        for (name,) in executor.execute_many(sql.take_over, {"name": sorted(under_way)}):
            answers[bytes(name)] = Reserved(under_way[bytes(name)])
    return answers


def _fingerprint(submission: Submission) -> str:
    return submission.idempotency.fingerprint if submission.idempotency else ""


def entries(submissions: Sequence[Submission], status: Status) -> dict[str, Sequence[object]]:
    """Return the columns of what ``enter`` and ``submit`` of LedgerSql write."""
    mails = [submission.mail for submission in submissions]
    return {
        "id": [mail.id for mail in mails],
        "client": [submission.client for submission in submissions],
        "status": [status.value] * len(mails),
        "submitted_at": [mail.submitted_at for mail in mails],
        "sender": [mail.from_.email for mail in mails],
        "recipients": [_emails(mail) for mail in mails],
        "subject": [mail.subject for mail in mails],
        "body": [encode_mail(mail) for mail in mails],
    }


def _emails(mail: Mail) -> str:
    return orjson.dumps([address.email for address in mail.recipients]).decode()


def columns(
    names: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> dict[str, Sequence[object]]:
    """Return the rows as the columns of those names."""
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
