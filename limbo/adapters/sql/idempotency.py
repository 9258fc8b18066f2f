"""Idempotency keys in a table, claimed and given up within somebody's transaction."""
# ruff: noqa: S608 - these are put together from constants alone

from collections.abc import Mapping, Sequence

from limbo.adapters.outbox.once_per_key import (
    KEY_SECONDS,
    TAKEOVER_SECONDS,
    Reservation,
    key_hash,
)
from limbo.adapters.sql.database import Dialect, Executor
from limbo.adapters.sql.statements import among, as_columns, in_each, insert, literals
from limbo.domain.delivery.lifecycle import REFUSE, Status
from limbo.ports.outbox import KeyConflict, Replayed, Reserved, Submission

_COLUMNS = {"name": "bytea", "fingerprint": "text", "mail_id": "text"}
_CLAIM = in_each(
    lambda dialect: insert(
        dialect,
        "limbo_idempotency AS k",
        _COLUMNS,
        f"""
            (name) DO UPDATE
            SET fingerprint = excluded.fingerprint, mail_id = excluded.mail_id, at = excluded.at
            WHERE k.at < :now - {KEY_SECONDS} RETURNING name
        """,
        now="at",
    )
)
_READ = in_each(
    lambda dialect: (
        f"""
        SELECT k.name, k.fingerprint, k.mail_id,
            COALESCE(m.status = {literals(Status.SUBMITTING)}, FALSE)
        FROM limbo_idempotency AS k LEFT JOIN limbo_mails AS m ON m.id = k.mail_id
        WHERE {among(dialect, "k.name", "bytea")}
    """
    )
)
_TAKE_OVER = in_each(
    lambda dialect: (
        f"""
        UPDATE limbo_idempotency SET at = :now
        WHERE {among(dialect, "name", "bytea")} AND at < :now - {TAKEOVER_SECONDS} RETURNING name
    """
    )
)
_FREE = in_each(
    lambda dialect: (
        f"""
        DELETE FROM limbo_idempotency WHERE {among(dialect, "name", "bytea")}
        AND (SELECT status FROM limbo_mails WHERE id = mail_id) = {literals(REFUSE.to)}
    """
    )
)


def claim_keys(
    transaction: Executor, dialect: Dialect, submissions: Sequence[Submission]
) -> list[Reservation]:
    """Say under which id each mail is to be kept, if it is; no two have the same key.

    The keys are entered as used. Another who enters one of them waits for the transaction.
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
        for (name,) in transaction.execute_many(_CLAIM[dialect], as_columns([*_COLUMNS], rows))
    }
    taken = {name: _fingerprint(submissions[at]) for name, at in keyed if name not in claimed}
    if taken:
        found = _answer_for_taken(transaction, dialect, taken)
        for name, at in keyed:
            if name not in claimed:
                # A key that is gone by now has just run out: the next to try gets it.
                answers[at] = found.get(name, KeyConflict.UNDER_WAY)
    return answers


def free_keys(transaction: Executor, dialect: Dialect, submissions: Sequence[Submission]) -> None:
    """Give up the keys of those submissions whose mails are refused."""
    names = sorted(key_hash(s.client, s.idempotency) for s in submissions if s.idempotency)
    transaction.execute_many(_FREE[dialect], {"name": names})


def _answer_for_taken(
    transaction: Executor, dialect: Dialect, fingerprints: Mapping[bytes, str]
) -> dict[bytes, Reservation]:
    answers: dict[bytes, Reservation] = {}
    under_way: dict[bytes, str] = {}
    rows = transaction.execute_many(_READ[dialect], {"name": [*fingerprints]})
    for name, fingerprint, mail_id, is_under_way in rows:
        if fingerprint != fingerprints[bytes(name)]:
            answers[bytes(name)] = KeyConflict.REUSED
        elif is_under_way:
            answers[bytes(name)] = KeyConflict.UNDER_WAY
            under_way[bytes(name)] = mail_id
        else:
            answers[bytes(name)] = Replayed(mail_id)
    if under_way:
        names = {"name": sorted(under_way)}
        for (name,) in transaction.execute_many(_TAKE_OVER[dialect], names):
            answers[bytes(name)] = Reserved(under_way[bytes(name)])
    return answers


def _fingerprint(submission: Submission) -> str:
    return submission.idempotency.fingerprint if submission.idempotency else ""
