"""Idempotency keys in a table, claimed and freed within the caller's transaction."""

from collections.abc import Mapping, Sequence

from limbo.adapters.outbox.once_per_key import (
    KEY_SECONDS,
    TAKEOVER_SECONDS,
    Reservation,
    key_hash,
)
from limbo.adapters.sql.database import Dialect, Executor
from limbo.adapters.sql.statements import among, as_columns, in_each, insert, literals
from limbo.domain.delivery.lifecycle import FREES_KEY, UNDER_WAY
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
            COALESCE(m.status IN ({literals(*UNDER_WAY)}), FALSE)
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
        AND (SELECT status FROM limbo_mails WHERE id = mail_id) IN ({literals(*FREES_KEY)})
    """
    )
)


def claim_keys(
    transaction: Executor, dialect: Dialect, submissions: Sequence[Submission]
) -> list[Reservation]:
    """Return for each mail the id to keep it under, or why not to keep it.

    No two submissions may have the same idempotency key. The keys are stored as used. Another
    transaction that stores one of them waits for this one.
    """
    names = [key_hash(s.client, s.idempotency) if s.idempotency else b"" for s in submissions]
    # Use one order, so that two transactions with the same idempotency keys cannot deadlock.
    keyed = sorted(pair for pair in zip(names, range(len(names)), strict=True) if pair[0])
    reservations: list[Reservation] = [Reserved(submission.mail.id) for submission in submissions]
    if not keyed:
        return reservations
    rows = [(name, _fingerprint(submissions[at]), submissions[at].mail.id) for name, at in keyed]
    claimed = {
        bytes(name)
        for (name,) in transaction.execute_many(_CLAIM[dialect], as_columns([*_COLUMNS], rows))
    }
    taken = {name: _fingerprint(submissions[at]) for name, at in keyed if name not in claimed}
    if taken:
        found = _reservations_of_taken(transaction, dialect, taken)
        for name, at in keyed:
            if name not in claimed:
                # A row that is missing now has just expired: the client's next try gets the key.
                reservations[at] = found.get(name, KeyConflict.UNDER_WAY)
    return reservations


def free_keys(transaction: Executor, dialect: Dialect, submissions: Sequence[Submission]) -> None:
    """Delete the idempotency keys of those submissions whose mails the queue has refused."""
    names = sorted(key_hash(s.client, s.idempotency) for s in submissions if s.idempotency)
    transaction.execute_many(_FREE[dialect], {"name": names})


def _reservations_of_taken(
    transaction: Executor, dialect: Dialect, fingerprints: Mapping[bytes, str]
) -> dict[bytes, Reservation]:
    reservations: dict[bytes, Reservation] = {}
    under_way: dict[bytes, str] = {}
    rows = transaction.execute_many(_READ[dialect], {"name": [*fingerprints]})
    for name, fingerprint, mail_id, is_under_way in rows:
        if fingerprint != fingerprints[bytes(name)]:
            reservations[bytes(name)] = KeyConflict.REUSED
        elif is_under_way:
            reservations[bytes(name)] = KeyConflict.UNDER_WAY
            under_way[bytes(name)] = mail_id
        else:
            reservations[bytes(name)] = Replayed(mail_id)
    if under_way:
        names = {"name": sorted(under_way)}
        for (name,) in transaction.execute_many(_TAKE_OVER[dialect], names):
            reservations[bytes(name)] = Reserved(under_way[bytes(name)])
    return reservations


def _fingerprint(submission: Submission) -> str:
    return submission.idempotency.fingerprint if submission.idempotency else ""
