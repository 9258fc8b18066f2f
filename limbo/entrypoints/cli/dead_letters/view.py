"""Dead letters as an operator reads them: as JSON, and as text that fits a terminal.

Addresses, subjects and bodies appear only where they are asked for: what a terminal shows ends up
in tickets.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed
from limbo.domain.mail.mail import Mail
from limbo.domain.mail.text import one_line
from limbo.entrypoints.http.api.representations import dead_letter_shape
from limbo.ports.dead_letters import DeadLetter
from limbo.ports.queue import Undecodable

Document = dict[str, object]
_LEAST_REASON = 24


def letter_document(letter: DeadLetter, *, with_mail: bool = False) -> Document:
    """Return the dead letter as HTTP clients see it, and the mail itself if that is wanted."""
    document: Document = {**dead_letter_shape(letter)}
    if with_mail:
        document["mail"] = _mail_document(letter.mail)
    return document


def letters_table(letters: Sequence[DeadLetter], width: int | None) -> Iterator[str]:
    """Yield the lines of a list, no wider than the terminal unless that leaves no room at all."""
    head = ("ID", "MAIL", "BURIED", "KIND", "SENDER", "ATTEMPTS", "REASON")
    rows = [
        (
            letter.id,
            letter.mail.id,
            _local(letter.buried_at),
            letter.cause.kind,
            letter.cause.sender,
            str(len(letter.attempts)),
            letter.cause.reason,
        )
        for letter in letters
    ]
    yield from _table([head, *rows], width)


def causes_table(causes: Sequence[tuple[Cause, int]], width: int | None) -> Iterator[str]:
    """Yield the lines of the causes, each with the number of mails that died of it."""
    rows = [(f"{n}", cause.id, cause.kind, cause.sender, cause.reason) for cause, n in causes]
    yield from _table([("MAILS", "CAUSE", "KIND", "SENDER", "REASON"), *rows], width)


def letter_text(letter: DeadLetter, *, with_mail: bool) -> Iterator[str]:
    """Yield the lines that say all about one dead letter."""
    mail, cause = letter.mail, letter.cause
    facts = [("id", letter.id), ("mail", mail.id)]
    if isinstance(mail, Mail):
        facts.append(("submitted", _local(mail.submitted_at)))
    facts += [
        ("buried", _local(letter.buried_at)),
        ("cause", f"{cause.id} {cause.kind}"),
        ("sender", cause.sender),
        ("reason", cause.reason),
        ("duplicate", "possible" if letter.possible_duplicate else "no"),
        *(("attempt", _attempt_text(attempt)) for attempt in letter.attempts),
    ]
    if with_mail:
        facts += _mail_facts(mail)
    for name, value in facts:
        yield f"{name:10} {_shown(value)}"
    if with_mail and isinstance(mail, Mail):
        yield ""
        yield mail.message


def _table(rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    shown = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)][:-1]
    room = None if width is None else max(width - sum(widths) - 2 * len(widths), _LEAST_REASON)
    for *cells, last in shown:
        padded = [f"{cell:{size}}" for cell, size in zip(cells, widths, strict=True)]
        cut = last if room is None or len(last) <= room else last[: room - 1] + "…"
        yield "  ".join([*padded, cut])


def _shown(text: str) -> str:
    """Return a text that may be anybody's as one that no terminal obeys."""
    return one_line(text) or "-"


def _attempt_text(attempt: Attempt) -> str:
    match attempt.verdict:
        case Accepted(provider_id=provider_id):
            outcome = f"accepted {provider_id}"
        case Failed(fault=fault, reason=reason, retry_after=None):
            outcome = f"{fault}: {reason}"
        case Failed(fault=fault, reason=reason, retry_after=retry_after):
            outcome = f"{fault}: {reason} (retry after {retry_after:g} s)"
    return f"{_local(attempt.started_at)} {attempt.sender} {attempt.duration:.1f} s {outcome}"


def _mail_document(mail: Mail | Undecodable) -> Document:
    match mail:
        case Undecodable(reason=reason):
            return {"undecodable": reason}
        case Mail():
            return {
                "from": str(mail.from_),
                "to": [str(address) for address in mail.to],
                "cc": [str(address) for address in mail.cc],
                "bcc": [str(address) for address in mail.bcc],
                "subject": mail.subject,
                "message": mail.message,
            }


def _mail_facts(mail: Mail | Undecodable) -> list[tuple[str, str]]:
    match mail:
        case Undecodable(reason=reason):
            return [("body", f"no mail: {reason}")]
        case Mail():
            names = (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc))
            recipients = [(name, str(address)) for name, group in names for address in group]
            return [("from", str(mail.from_)), *recipients, ("subject", mail.subject)]


def _local(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return "?"
