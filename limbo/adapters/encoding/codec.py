"""A mail, a cause and attempts as versioned JSON: the contents of a queue.

A mail's document is the one that the client posted, with ``v``, ``id`` and ``submitted_at`` added.
A reader keeps fields that it does not know, so that a mail survives workers of two versions. ``v``
is raised when ignoring a new field would change what the mail means.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed, Fault, Verdict
from limbo.domain.errors import InvalidMail
from limbo.domain.mail.ids import is_mail_id
from limbo.domain.mail.mail import YEAR_10000, Mail
from limbo.domain.mail.text import without_directions
from limbo.ports.queue import Undecodable

_ENVELOPE = ("v", "id", "submitted_at")


def encode_mail(mail: Mail) -> bytes:
    """Return the mail as UTF-8 JSON."""
    envelope = {"v": mail.version, "id": mail.id, "submitted_at": mail.submitted_at}
    document = mail.fields.document(mail, envelope)
    return orjson.dumps({**mail.extra, **document} if mail.extra else document)


def decode_mail(body: bytes | str, name: str, kind: type[Mail] = Mail) -> Mail | Undecodable:
    """Read a mail that anybody may have put into the queue, by the rules for clients' mails.

    ``name`` is the queue's own id of the message. It names a body that is no mail.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Undecodable(name, f"not JSON: {error.msg} at {error.pos}")
    if not isinstance(document, dict):
        return Undecodable(name, "not a JSON object")
    problem = _envelope_problem(document)
    return Undecodable(name, problem) if problem else _mail(document, name, kind)


def decode_envelope(body: bytes | str) -> tuple[str, float] | None:
    """Read a mail's id and the time of its submission alone, or None if the body is no mail.

    This takes a small part of the time of ``decode_mail``, which checks all that is in the mail.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or _envelope_problem(document):
        return None
    return document["id"], float(document["submitted_at"])


def encode_cause(cause: Cause) -> bytes:
    """Return a cause of death as JSON."""
    return orjson.dumps({"kind": cause.kind, "sender": cause.sender, "reason": cause.reason})


def decode_cause(body: bytes | str) -> Cause:
    """Read what ``encode_cause`` wrote; raises ValueError on anything else."""
    match orjson.loads(body):
        case {"kind": str(kind), "sender": str(sender), "reason": str(reason)}:
            return Cause(kind=kind, sender=sender, reason=reason)
        case _:
            msg = "no cause"
            raise ValueError(msg)


def encode_attempts(attempts: Sequence[Attempt]) -> bytes:
    """Return the attempts of a touch as JSON."""
    return orjson.dumps([_attempt(attempt) for attempt in attempts])


def decode_attempts(body: bytes | str) -> list[Attempt]:
    """Read what ``encode_attempts`` wrote; raises ValueError on anything else."""
    try:
        return [
            Attempt(
                sender=str(item["sender"]),
                started_at=float(item["started_at"]),
                duration=float(item["duration"]),
                verdict=_verdict(item),
            )
            for item in orjson.loads(body)
        ]
    except (TypeError, KeyError, AttributeError) as error:
        msg = "no attempts"
        raise ValueError(msg) from error


def _mail(document: dict[str, Any], name: str, kind: type[Mail]) -> Mail | Undecodable:
    version, id_, submitted_at = (document.pop(key) for key in _ENVELOPE)
    known = {key: document.pop(key) for key in kind.fields.names if key in document}
    try:
        mail = _parsed(kind, known, id_, float(submitted_at))
    except InvalidMail as error:
        return Undecodable(name, str(error), is_supported=version <= kind.fields.version)
    if document and not _is_encodable(document):
        return Undecodable(name, "nested too deeply")
    if not document and version <= mail.version:
        return mail
    return replace(mail, version=max(version, mail.version), extra=document)


def _parsed(kind: type[Mail], document: dict[str, Any], id_: str, submitted_at: float) -> Mail:
    """Parse the document, without what only an older limbo takes in a header."""
    try:
        return kind.parse(document, id=id_, submitted_at=submitted_at)
    except InvalidMail:
        names = document.keys() - kind.fields.multiline
        clean = {name: _without_directions(document[name]) for name in names}
        return kind.parse({**document, **clean}, id=id_, submitted_at=submitted_at)


def _without_directions(value: object) -> object:
    if isinstance(value, list):
        return [without_directions(item) if isinstance(item, str) else item for item in value]
    return without_directions(value) if isinstance(value, str) else value


def _envelope_problem(document: dict[str, object]) -> str | None:
    version, id_, submitted_at = (document.get(key) for key in _ENVELOPE)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        return "v: must be a whole number from 1"
    if not isinstance(id_, str) or not is_mail_id(id_):
        return "id: must be 1 to 64 of A-Z a-z 0-9 _ -"
    if isinstance(submitted_at, bool) or not isinstance(submitted_at, int | float):
        return "submitted_at: must be seconds since the epoch"
    if not 0 <= submitted_at < YEAR_10000:
        return "submitted_at: must be in the years 1970 to 9999"
    return None


def _is_encodable(extra: dict[str, object]) -> bool:
    """Tell whether the mail can be written back: orjson reads deeper nesting than it writes."""
    try:
        orjson.dumps(extra)
    except orjson.JSONEncodeError:
        return False
    return True


def _attempt(attempt: Attempt) -> dict[str, object]:
    document: dict[str, object] = {
        "sender": attempt.sender,
        "started_at": attempt.started_at,
        "duration": attempt.duration,
    }
    match attempt.verdict:
        case Accepted(provider_id=provider_id):
            document["provider_id"] = provider_id
        case Failed(fault=fault, reason=reason, retry_after=retry_after):
            document |= {"fault": fault, "reason": reason, "retry_after": retry_after}
    return document


def _verdict(item: dict[str, object]) -> Verdict:
    if "fault" not in item:
        return Accepted(str(item["provider_id"]))
    retry_after = item["retry_after"]
    return Failed(
        Fault(str(item["fault"])),
        str(item["reason"]),
        float(retry_after) if isinstance(retry_after, int | float) else None,
    )
