"""Idempotency keys as the outboxes handle them: one mail for all that repeat a submission."""

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
    """Return what a client's key is known by: 32 bytes, whatever it holds."""
    return sha256(f"{client}\0{idempotency.key}".encode("utf-8", "surrogatepass")).digest()


def once_per_key(submissions: Sequence[Submission], submit: Submit) -> list[SubmitResult]:
    """Submit what has a key once, and answer its repeats by what became of it."""
    if not any(submission.idempotency for submission in submissions):
        return [*submit(submissions)]
    first: dict[tuple[str, str], int] = {}
    for number, submission in enumerate(submissions):
        if submission.idempotency is not None:
            first.setdefault((submission.client, submission.idempotency.key), number)
    leaders = [_leader(s, number, first) for number, s in enumerate(submissions)]
    chosen = [number for number, leader in enumerate(leaders) if leader == number]
    answers = dict(
        zip(chosen, submit([submissions[number] for number in chosen]), strict=True),
    )
    left: list[int] = []
    for number, leader in enumerate(leaders):
        if number != leader:
            answer = _repeated(submissions[leader], answers[leader], submissions[number])
            if answer is None:
                left.append(number)
            else:
                answers[number] = answer
    if left:
        again = once_per_key([submissions[number] for number in left], submit)
        answers |= zip(left, again, strict=True)
    return [answers[number] for number in range(len(submissions))]


def reserved(
    submissions: Sequence[Submission], reservations: Sequence[Reservation]
) -> list[Submission]:
    """Return what is to be kept, under the ids it is reserved under."""
    return [
        _under(submission, reservation.mail_id)
        for submission, reservation in zip(submissions, reservations, strict=True)
        if isinstance(reservation, Reserved)
    ]


def answered(
    submissions: Sequence[Submission],
    reservations: Sequence[Reservation],
    kept: Sequence[Kept | NotKept],
) -> list[SubmitResult]:
    """Answer all submissions, where ``kept`` says what became of those that were reserved."""
    said = iter(kept)
    answers: list[SubmitResult] = []
    for submission, reservation in zip(submissions, reservations, strict=True):
        if not isinstance(reservation, Reserved):
            answers.append(reservation)
            continue
        answer = next(said)
        is_other = isinstance(answer, Kept) and reservation.mail_id != submission.mail.id
        answers.append(KeptAs(reservation.mail_id) if is_other else answer)
    return answers


def _under(submission: Submission, mail_id: str) -> Submission:
    if mail_id == submission.mail.id:
        return submission
    return replace(submission, mail=replace(submission.mail, id=mail_id))


def _leader(submission: Submission, number: int, first: dict[tuple[str, str], int]) -> int:
    if submission.idempotency is None:
        return number
    return first[submission.client, submission.idempotency.key]


def _repeated(
    leader: Submission, answer: SubmitResult, follower: Submission
) -> SubmitResult | None:
    """Return the answer to a follower, None if it has to be submitted by itself."""
    same = leader.idempotency == follower.idempotency
    match answer:
        case Kept():
            return Replayed(leader.mail.id) if same else KeyConflict.REUSED
        case KeptAs(mail_id) | Replayed(mail_id):
            return Replayed(mail_id) if same else KeyConflict.REUSED
        case _:
            return answer if same else None
