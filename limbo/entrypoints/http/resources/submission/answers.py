"""The responses to a submission: one for each result of the outbox."""

from dataclasses import replace
from http import HTTPStatus
from typing import assert_never

import orjson
import structlog
from starlette.types import Scope

from limbo.domain.mail.mail import Mail
from limbo.domain.mail.text import redact
from limbo.entrypoints.http.api.operations import SUBMIT
from limbo.entrypoints.http.api.representations import submitted_mail
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.headers import REPRESENTATION, header, wants_representation
from limbo.entrypoints.http.server.problems import RETRY_AFTER, UNKNOWN, HttpRefusal
from limbo.entrypoints.http.server.response import Header, ReadyResponse
from limbo.ports.outbox import KeyConflict
from limbo.ports.queue import NotKept

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_SUBMITTED = orjson.dumps({"Message": "submitted"})
_SOON = (b"retry-after", b"1")
_PREFERENCE_APPLIED = (b"preference-applied", REPRESENTATION.encode())
_REPLAYED = (b"idempotent-replayed", b"true")


def submitted(mail: Mail, scope: Scope, *, is_replay: bool = False) -> ReadyResponse:
    """Return the response for a mail that is kept, in the form that the client asked for."""
    headers = [_location(mail)]
    if is_replay:
        headers.append(_REPLAYED)
    prefer = header(scope, b"prefer")
    if prefer and wants_representation(prefer.decode("latin-1")):
        content = orjson.dumps(submitted_mail(mail))
        return ReadyResponse(content, [*headers, _PREFERENCE_APPLIED])
    return ReadyResponse(_SUBMITTED, headers)


def replayed(mail: Mail, first_id: str) -> Mail:
    """Return the mail as it was first submitted: with the first id, and the time in that id."""
    milliseconds = int(first_id.replace("-", "")[:12], 16)  # RFC 9562, section 5.7
    return replace(mail, id=first_id, submitted_at=milliseconds / 1000)


def not_kept(refusal: NotKept, mail: Mail, *, has_key: bool) -> HttpRefusal:
    """Return the refusal for a mail that the queue did not take, or may not have taken."""
    if refusal.in_doubt:
        log.warning("mail perhaps kept", mail_id=mail.id, reason=redact(refusal.reason))
        return _unknown(mail, has_key=has_key)
    if refusal.too_large:
        detail = "the mail is larger than the queue takes"
        return HttpRefusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, code=Code.MAIL_TOO_LARGE)
    log.warning("mail not kept", mail_id=mail.id, reason=redact(refusal.reason))
    detail = "the queue did not take the mail; try again later"
    return HttpRefusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=[RETRY_AFTER])


def conflict(clash: KeyConflict) -> HttpRefusal:
    """Return the refusal for an idempotency key that belongs to another submission."""
    match clash:
        case KeyConflict.REUSED:
            detail = "Idempotency-Key: another mail was submitted under it; take a new one"
            return HttpRefusal(
                HTTPStatus.UNPROCESSABLE_ENTITY, detail, code=Code.IDEMPOTENCY_KEY_REUSED
            )
        case KeyConflict.UNDER_WAY:
            detail = "Idempotency-Key: the first submission under it is still under way"
            return HttpRefusal(
                HTTPStatus.CONFLICT, detail, code=Code.SUBMISSION_UNDER_WAY, headers=[_SOON]
            )
        case never:
            assert_never(never)


def _unknown(mail: Mail, *, has_key: bool) -> HttpRefusal:
    """Say that the outcome is unknown.

    Without an idempotency key there is no Retry-After: a client that follows it would send the
    mail twice.
    """
    again = (
        "post it again under the same Idempotency-Key to be sure"
        if has_key
        else "and would be sent twice if it was and is posted again"
    )
    detail = f"the queue has not said that it took the mail: it may have been submitted, {again}"
    return HttpRefusal(
        HTTPStatus.GATEWAY_TIMEOUT,
        detail,
        message=UNKNOWN,
        headers=[RETRY_AFTER if has_key else _location(mail)],
    )


def _location(mail: Mail) -> Header:
    return b"location", f"{SUBMIT.path}/{mail.id}".encode()
