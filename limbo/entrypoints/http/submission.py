"""``POST /v1/mail``: takes a mail, and says "submitted" only once the queue has it."""

from collections.abc import Callable
from http import HTTPStatus
from typing import assert_never

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from limbo.domain.errors import InvalidMail
from limbo.domain.ids import mail_id
from limbo.domain.mail import Mail, parse_mail
from limbo.domain.text import redact
from limbo.entrypoints.http.answers import Answer, Header
from limbo.entrypoints.http.body import BodyReader, ClientGone
from limbo.entrypoints.http.gather import Gatherer, Unknown
from limbo.entrypoints.http.headers import REPRESENTATION, header, wants_representation
from limbo.entrypoints.http.problems import UNKNOWN, Refused, answer
from limbo.entrypoints.http.resource import QUEUED, mail_resource
from limbo.entrypoints.http.strict_json import NotJson, parse_object
from limbo.entrypoints.logs import hash_address
from limbo.entrypoints.metrics import Metrics
from limbo.ports.queue import Kept, NotKept

log: structlog.stdlib.BoundLogger = structlog.get_logger()

PATH = "/v1/mail"
_SUBMITTED = orjson.dumps({"Message": "submitted"})
_RETRY_AFTER = (b"retry-after", b"5")
_PREFERENCE_APPLIED = (b"preference-applied", REPRESENTATION.encode())
_OUTCOMES = {
    HTTPStatus.REQUEST_TIMEOUT: "slow",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.GATEWAY_TIMEOUT: "unknown",
}


class Submission:
    """The endpoint, as an ASGI application: Starlette's function endpoints cost more."""

    def __init__(
        self,
        *,
        gatherer: Gatherer,
        metrics: Metrics,
        now: Callable[[], float],
        max_body_bytes: int,
        body_seconds: float,
    ) -> None:
        self._gatherer = gatherer
        self._now = now
        self._reader = BodyReader(limit=max_body_bytes, seconds=body_seconds)
        self._log = log.bind()
        names = ("submitted", "invalid", "aborted", "error", *_OUTCOMES.values())
        self._outcomes = {name: metrics.mails_submitted.labels(name) for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer first, then count and log: neither may turn a kept mail into an error."""
        outcome = "error"
        try:
            mail, response = await self._submit(scope, receive)
            outcome = "submitted"
            await response(scope, receive, send)
            self._log.info("mail submitted", **_traits(mail))
        except Refused as refused:
            outcome = _OUTCOMES.get(refused.status, "invalid")
            await answer(refused, scope)(scope, receive, send)
            self._log.info(
                "mail not submitted", status=refused.status.value, pointers=refused.pointers
            )
        except ClientGone:
            outcome = "aborted"
            raise
        finally:
            self._outcomes[outcome].inc()

    async def _submit(self, scope: Scope, receive: Receive) -> tuple[Mail, Answer]:
        body = await self._reader.read(scope, receive)
        mail = self._parse(body)
        response = _submitted(mail, scope)  # while nothing is kept, whatever fails is no lie
        match await self._gatherer.submit(mail, len(body)):
            case Kept():
                return mail, response
            case NotKept(too_large=True):
                detail = "the mail is larger than the queue takes"
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
            case NotKept(reason=reason):
                log.warning("mail not kept", mail_id=mail.id, reason=redact(reason))
                detail = "the queue did not take the mail; try again later"
                raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=[_RETRY_AFTER])
            case Unknown():
                raise _unknown(mail)
            case never:
                assert_never(never)

    def _parse(self, body: bytes) -> Mail:
        now = self._now()
        try:
            return parse_mail(parse_object(body), id=mail_id(now), submitted_at=now)
        except NotJson as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        except InvalidMail as error:
            raise Refused(HTTPStatus.BAD_REQUEST, error.problems) from None


def _submitted(mail: Mail, scope: Scope) -> Answer:
    prefer = header(scope, b"prefer")
    if prefer and wants_representation(prefer.decode("latin-1")):
        content = orjson.dumps(mail_resource(mail, QUEUED))
        return Answer(content, headers=[_location(mail), _PREFERENCE_APPLIED])
    return Answer(_SUBMITTED, headers=[_location(mail)])


def _location(mail: Mail) -> Header:
    return b"location", f"{PATH}/{mail.id}".encode()


def _unknown(mail: Mail) -> Refused:
    """Tell the truth: it may be kept. No Retry-After, lest a client doubles it by itself."""
    detail = (
        "the queue has not answered in time: the mail may have been submitted, and would be sent"
        " twice if it was and is posted again"
    )
    log.warning("mail perhaps kept", mail_id=mail.id)
    return Refused(HTTPStatus.GATEWAY_TIMEOUT, detail, message=UNKNOWN, headers=[_location(mail)])


def _traits(mail: Mail) -> dict[str, object]:
    """Return what a log may know of a mail."""
    recipients = mail.recipients
    return {
        "mail_id": mail.id,
        "sender": hash_address(mail.from_.email),
        "recipients": len(recipients),
        "addresses": [hash_address(address.email) for address in recipients],
    }
