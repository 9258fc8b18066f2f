"""A mail, a cause and attempts as versioned JSON: what lies in a queue.

The document of a mail is the one a client posts, with ``v``, ``id`` and ``submitted_at`` added. A
reader keeps what it does not know, so that a mail survives workers of two versions; what changes
the meaning of a mail for those who ignore it raises ``v``.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import orjson

from limbo.domain.delivery.verdict import Accepted, Attempt, Cause, Failed, Fault, Verdict
from limbo.domain.errors import InvalidMail
from limbo.domain.mail.address import Address
from limbo.domain.mail.mail import FIELDS, Mail, parse_mail
from limbo.ports.queue import Undecodable

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_YEAR_10000 = 253402300800
_ENVELOPE = ("v", "id", "submitted_at")


def encode_mail(mail: Mail) -> bytes:
    """Return the mail as UTF-8 JSON."""
    document: dict[str, object] = {
        "v": mail.version,
        "id": mail.id,
        "submitted_at": mail.submitted_at,
        "from": str(mail.from_),
        "to": _strings(mail.to),
        "subject": mail.subject,
        "message": mail.message,
    }
    if mail.cc:
        document["cc"] = _strings(mail.cc)
    if mail.bcc:
        document["bcc"] = _strings(mail.bcc)
    return orjson.dumps({**mail.extra, **document})


def decode_mail(body: bytes | str, name: str) -> Mail | Undecodable:
    """Read a mail that anybody may have put into the queue, by the rules a client's mail meets.

    ``name`` is the queue's own name for the message, for a body that is no mail.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Undecodable(name, f"not JSON: {error.msg} at {error.pos}")
    if not isinstance(document, dict):
        return Undecodable(name, "not a JSON object")
    if problem := _envelope_problem(document):
        return Undecodable(name, problem)
    known = {key: value for key, value in document.items() if key in FIELDS}
    try:
        mail = parse_mail(known, id=document["id"], submitted_at=float(document["submitted_at"]))
    except InvalidMail as error:
        return Undecodable(name, str(error))
    extra = {k: v for k, v in document.items() if k not in FIELDS and k not in _ENVELOPE}
    if not _is_encodable(extra):
        return Undecodable(name, "nested too deeply")
    return replace(mail, version=document["v"], extra=extra)


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


def _envelope_problem(document: dict[str, object]) -> str | None:
    version, id_, submitted_at = (document.get(key) for key in _ENVELOPE)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        return "v: must be a whole number from 1"
    if not isinstance(id_, str) or not _ID.fullmatch(id_):
        return "id: must be 1 to 64 of A-Z a-z 0-9 _ -"
    if isinstance(submitted_at, bool) or not isinstance(submitted_at, int | float):
        return "submitted_at: must be seconds since the epoch"
    if not 0 <= submitted_at < _YEAR_10000:
        return "submitted_at: must be in the years 1970 to 9999"
    return None


def _is_encodable(extra: dict[str, object]) -> bool:
    """Tell whether the mail can be written back: orjson reads deeper than it writes."""
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


def _strings(addresses: Sequence[Address]) -> list[str]:
    return [str(address) for address in addresses]
