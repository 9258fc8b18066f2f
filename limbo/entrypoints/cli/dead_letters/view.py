"""Dead letters as an operator reads them: as JSON, and as text that fits a terminal.

Addresses, subjects and bodies are shown only on request, because people copy what a terminal shows
into tickets.
"""

from collections.abc import Iterable, Iterator, Sequence

from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed
from limbo.domain.mail.mail import Mail
from limbo.domain.mail.text import escape_controls, one_line
from limbo.entrypoints.cli.times import local_time
from limbo.entrypoints.http.api.representations import dead_letter_representation
from limbo.ports.dead_letters import DeadLetter, DeadLetterEntry
from limbo.ports.queue import Undecodable

Document = dict[str, object]
LETTER_HEADINGS = ("ID", "MAIL", "BURIED", "KIND", "SENDER", "ATTEMPTS", "REASON")
CAUSE_HEADINGS = ("MAILS", "CAUSE", "KIND", "SENDER", "REASON")


def letter_document(letter: DeadLetterEntry) -> Document:
    """Return the dead letter as HTTP clients see it."""
    return {**dead_letter_representation(letter)}


def document_with_mail(letter: DeadLetter) -> Document:
    """Return the dead letter as HTTP clients see it, together with the mail."""
    return {**letter_document(letter), "mail": _mail_document(letter.mail)}


def letter_row(letter: DeadLetterEntry) -> Sequence[str]:
    """Return the cells of the dead letter, in the order of LETTER_HEADINGS."""
    return (
        letter.id,
        letter.mail_id,
        local_time(letter.buried_at),
        letter.cause.kind,
        letter.cause.sender,
        str(len(letter.attempts)),
        letter.cause.reason,
    )


def cause_row(cause: Cause, count: int) -> Sequence[str]:
    """Return the cells of the cause, and of the number of mails that died of it."""
    return (str(count), cause.id, cause.kind, cause.sender, cause.reason)


def letter_text(letter: DeadLetter, *, with_mail: bool) -> Iterator[str]:
    """Yield the lines that show everything about one dead letter."""
    mail, cause = letter.mail, letter.cause
    facts = [("id", letter.id), ("mail", mail.id)]
    if isinstance(mail, Mail):
        facts.append(("submitted", local_time(mail.submitted_at)))
    facts += [
        ("buried", local_time(letter.buried_at)),
        ("cause", f"{cause.id} {cause.kind}"),
        ("sender", cause.sender),
        ("reason", cause.reason),
        ("duplicate", "possible" if letter.possible_duplicate else "no"),
        *(("attempt", _attempt_text(attempt)) for attempt in letter.attempts),
    ]
    if with_mail:
        facts += _mail_facts(mail)
    for name, value in facts:
        yield f"{name:10} {one_line(value) or '-'}"
    if with_mail and isinstance(mail, Mail):
        texts = {name: text for name, text in _content(mail) if name in mail.fields.multiline}
        for name, text in texts.items():
            shown = escape_controls(str(text).replace("\r\n", "\n"))
            yield f"\n{name}:\n{shown}" if len(texts) > 1 else f"\n{shown}"


def _attempt_text(attempt: Attempt) -> str:
    match attempt.verdict:
        case Accepted(provider_id=provider_id):
            outcome = f"accepted {provider_id}"
        case Failed(fault=fault, reason=reason, retry_after=None):
            outcome = f"{fault}: {reason}"
        case Failed(fault=fault, reason=reason, retry_after=retry_after):
            outcome = f"{fault}: {reason} (retry after {retry_after:g} s)"
    return f"{local_time(attempt.started_at)} {attempt.sender} {attempt.duration:.1f} s {outcome}"


def _mail_document(mail: Mail | Undecodable) -> Document:
    match mail:
        case Undecodable(reason=reason):
            return {"undecodable": reason}
        case Mail():
            return mail.fields.content(mail)


def _mail_facts(mail: Mail | Undecodable) -> list[tuple[str, str]]:
    match mail:
        case Undecodable(reason=reason):
            return [("body", f"no mail: {reason}")]
        case Mail():
            return [
                (name, str(item))
                for name, value in _content(mail)
                if name not in mail.fields.multiline
                for item in (value if isinstance(value, list) else [value])
            ]


def _content(mail: Mail) -> Iterable[tuple[str, object]]:
    return mail.fields.content(mail).items()
