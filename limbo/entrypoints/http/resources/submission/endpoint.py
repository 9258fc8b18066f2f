"""``POST /v1/mail``: takes a mail, and says "submitted" only once the queue has it."""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import assert_never

import structlog
from starlette.types import Receive, Scope, Send

from limbo.domain.access.api_key import KeyScope
from limbo.domain.mail.mail import Mail
from limbo.entrypoints.http.access.access import Access, check_from
from limbo.entrypoints.http.api.idempotency_key import idempotency, read_key
from limbo.entrypoints.http.resources.submission.answers import (
    conflict,
    not_kept,
    replayed,
    submitted,
)
from limbo.entrypoints.http.resources.submission.gather import Gatherer
from limbo.entrypoints.http.resources.submission.validation import Validation
from limbo.entrypoints.http.server.body import BodyReader, ClientGone
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.entrypoints.http.server.response import ReadyResponse
from limbo.entrypoints.telemetry.address_hash import AddressHash
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.outbox import KeptAs, KeyConflict, Replayed, Submission
from limbo.ports.queue import Kept, NotKept

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_OUTCOMES = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.REQUEST_TIMEOUT: "slow",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "conflict",
    HTTPStatus.TOO_MANY_REQUESTS: "limited",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.GATEWAY_TIMEOUT: "unknown",
}
_NO_KEYS = (
    "Idempotency-Key: this limbo keeps no ledger, and its queue drops no repeats; a mail posted"
    " twice would be sent twice, so post it without the key"
)


class SubmissionEndpoint:
    """An ASGI application under a Route: a function of a Request would cost the hot path more."""

    def __init__(
        self,
        *,
        gatherer: Gatherer,
        access: Access,
        metrics: Metrics,
        now: Callable[[], float],
        reader: BodyReader,
        deduplicates: bool,
        address_hash: AddressHash,
    ) -> None:
        self._gatherer = gatherer
        self._access = access
        self._validation = Validation(now=now)
        self._reader = reader
        self._deduplicates = deduplicates
        self._address_hash = address_hash
        self._log = log.bind()
        names = ("submitted", "replayed", "invalid", "aborted", "error", *_OUTCOMES.values())
        self._outcomes = {name: metrics.mails_submitted.labels(name) for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a kept mail, then count and log it: neither may make an error of it."""
        outcome = "error"
        try:
            mail, response, is_replay = await self._submit(scope, receive)
            outcome = "replayed" if is_replay else "submitted"
            await response(scope, receive, send)
            self._log.info(
                "mail submitted before" if is_replay else "mail submitted", **self._traits(mail)
            )
        except HttpRefusal as refused:
            outcome = _OUTCOMES.get(refused.status, "invalid")
            self._log.info(
                "mail not submitted", status=refused.status.value, pointers=refused.pointers
            )
            raise
        except ClientGone:
            outcome = "aborted"
            raise
        finally:
            self._outcomes[outcome].inc()

    async def _submit(self, scope: Scope, receive: Receive) -> tuple[Mail, ReadyResponse, bool]:
        """Return the mail that is kept, the answer, and whether it was kept before."""
        client = await self._access.authenticate(scope, KeyScope.SEND)
        key = read_key(scope)
        if key is not None and not self._deduplicates:
            raise HttpRefusal(HTTPStatus.NOT_IMPLEMENTED, _NO_KEYS, code=Code.NO_IDEMPOTENCY)
        body = await self._reader.read(scope, receive, client=client.id)
        client = self._access.check_again(scope, client, KeyScope.SEND)  # a body may be slow
        mail = self._validation.at_once(body)
        if mail is None:
            mail = await self._validation.off_the_loop(body, client.id)
        check_from(client, mail.from_)
        response = submitted(mail, scope)  # while nothing is kept, whatever fails is no lie
        submission = Submission(
            mail=mail,
            client=client.id,
            key=client.key,
            idempotency=None if key is None else idempotency(key, mail),
        )
        match await self._gatherer.submit(submission, len(body)):
            case Kept():
                return mail, response, False
            case KeptAs(mail_id=name):
                mail = replace(mail, id=name)
                return mail, submitted(mail, scope), False
            case Replayed(mail_id=name):
                mail = replayed(mail, name)
                return mail, submitted(mail, scope, is_replay=True), True
            case NotKept() as refusal:
                raise not_kept(refusal, mail, has_key=key is not None)
            case KeyConflict() as clash:
                raise conflict(clash)
            case never:
                assert_never(never)

    def _traits(self, mail: Mail) -> dict[str, object]:
        """Return what a log may know of a mail."""
        recipients = mail.recipients
        return {
            "mail_id": mail.id,
            "from": self._address_hash.of_sender(mail.from_.email),
            "recipients": len(recipients),
            "to": [self._address_hash(address.email) for address in recipients],
        }
