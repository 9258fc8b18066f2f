"""How the outboxes handle idempotency keys: repeats of a submission get one mail."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from limbo.ports.outbox import (
    Idempotency,
    KeptAs,
    KeyConflict,
    Replayed,
    Reserved,
    Submission,
    SubmitResult,
)
from limbo.ports.queue import Kept, NotKept

KEY_SECONDS = 24 * 3600.0
TAKEOVER_SECONDS = 60.0


Submit = Callable[[Sequence[Submission]], Sequence[SubmitResult]]
Reservation = Reserved | Replayed | KeyConflict


def key_hash(client: str, idempotency: Idempotency) -> bytes:
    """Return the hash under which a client's idempotency key is stored: 32 bytes."""
    return sha256(f"{client}\0{idempotency.key}".encode("utf-8", "surrogatepass")).digest()


def once_per_key(submissions: Sequence[Submission], submit: Submit) -> list[SubmitResult]:
    """Submit once for each idempotency key. Answer the repeats from the result of the first."""
    if not any(submission.idempotency for submission in submissions):
        return [*submit(submissions)]
    first: dict[tuple[str, str], int] = {}
    for number, submission in enumerate(submissions):
        if submission.idempotency is not None:
            first.setdefault((submission.client, submission.idempotency.key), number)
    leaders = [_leader(s, number, first) for number, s in enumerate(submissions)]
    chosen = [number for number, leader in enumerate(leaders) if leader == number]
    results = dict(
        zip(chosen, submit([submissions[number] for number in chosen]), strict=True),
    )
    left: list[int] = []
    for number, leader in enumerate(leaders):
        if number != leader:
            result = _repeated(submissions[leader], results[leader], submissions[number])
            if result is None:
                left.append(number)
            else:
                results[number] = result
    if left:
        again = once_per_key([submissions[number] for number in left], submit)
        results |= zip(left, again, strict=True)
    return [results[number] for number in range(len(submissions))]


def reserved(
    submissions: Sequence[Submission], reservations: Sequence[Reservation]
) -> list[Submission]:
    """Return the submissions to keep, with their mails under the reserved ids."""
    return [
        _under(submission, reservation.mail_id)
        for submission, reservation in zip(submissions, reservations, strict=True)
        if isinstance(reservation, Reserved)
    ]


def submit_results(
    submissions: Sequence[Submission],
    reservations: Sequence[Reservation],
    kept: Sequence[Kept | NotKept],
) -> list[SubmitResult]:
    """Return the results of all submissions. ``kept`` has those of the reserved ones, in order."""
    kept_results = iter(kept)
    results: list[SubmitResult] = []
    for submission, reservation in zip(submissions, reservations, strict=True):
        if not isinstance(reservation, Reserved):
            results.append(reservation)
            continue
        result = next(kept_results)
        is_other = isinstance(result, Kept) and reservation.mail_id != submission.mail.id
        results.append(KeptAs(reservation.mail_id) if is_other else result)
    return results


def _under(submission: Submission, mail_id: str) -> Submission:
    if mail_id == submission.mail.id:
        return submission
    return replace(submission, mail=replace(submission.mail, id=mail_id))


def _leader(submission: Submission, number: int, first: dict[tuple[str, str], int]) -> int:
    if submission.idempotency is None:
        return number
    return first[submission.client, submission.idempotency.key]


def _repeated(
    leader: Submission, result: SubmitResult, follower: Submission
) -> SubmitResult | None:
    """Return the result for a repeat, or None if it must be submitted on its own."""
    same = leader.idempotency == follower.idempotency
    match result:
        case Kept():
            return Replayed(leader.mail.id) if same else KeyConflict.REUSED
        case KeptAs(mail_id) | Replayed(mail_id):
            return Replayed(mail_id) if same else KeyConflict.REUSED
        case _:
            return result if same else None
