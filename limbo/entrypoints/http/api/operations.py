"""The table of operations: each with its request, its scope and its responses.

The routes and the OpenAPI document are made from this table.
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from limbo.domain.access.api_key import KeyScope
from limbo.domain.access.audit import Action
from limbo.domain.delivery.lifecycle import Status
from limbo.domain.mail.mail import YEAR_10000
from limbo.entrypoints.http.api import idempotency_key as idempotency
from limbo.entrypoints.http.api import schemas
from limbo.entrypoints.http.api.json_schema import Facts
from limbo.entrypoints.http.api.operation import HeaderField, Operation
from limbo.entrypoints.http.api.parameters import (
    MAX_PAGE,
    MAX_WAIT,
    Parameter,
    parse_action,
    parse_cause,
    parse_email,
    parse_id,
    parse_name,
    parse_page,
    parse_since,
    parse_status,
    parse_wait,
    parse_who,
)
from limbo.entrypoints.http.server.problems import NOT_SUBMITTED

LIMIT = Parameter(
    name="limit",
    kind=Annotated[int, Facts(minimum=1, maximum=MAX_PAGE, default=20)],
    description="How many entries a page has at most.",
    parse=parse_page,
    default=20,
)
AFTER: Parameter[str | None] = Parameter(
    name="after",
    kind=schemas.Id,
    description="The id of the last entry of the page before.",
    parse=parse_id,
    default=None,
)
STATUS: Parameter[Status | None] = Parameter(
    name="status", kind=Status, description="Where they are.", parse=parse_status, default=None
)
TO: Parameter[str | None] = Parameter(
    name="to",
    kind=schemas.Address,
    description="Somebody who gets the mail.",
    parse=parse_email,
    default=None,
)
SINCE: Parameter[float | None] = Parameter(
    name="since",
    kind=schemas.Time | Annotated[float, Facts(minimum=0, maximum=YEAR_10000 - 1)],
    description="Submitted then or later: by RFC 3339, or in seconds since the epoch.",
    parse=parse_since,
    default=None,
)
CLIENT: Parameter[str | None] = Parameter(
    name="client",
    kind=schemas.Name,
    description="Whose they are.",
    parse=parse_name,
    default=None,
)
KEY: Parameter[str | None] = Parameter(
    name="key",
    kind=schemas.Name,
    description="The id of the API key that posted them.",
    parse=parse_name,
    default=None,
)
CAUSE: Parameter[str | None] = Parameter(
    name="cause",
    kind=Annotated[str, Facts(minLength=1, maxLength=200, examples=["outage", "0d4f9a31"])],
    description="What they died of: the id of a cause, or a kind, which is all causes of it.",
    parse=parse_cause,
    default=None,
)
WHO: Parameter[str | None] = Parameter(
    name="who",
    kind=Annotated[str, Facts(minLength=1, maxLength=200, examples=["key:3f2a91bc0d"])],
    description="Who did it: `key:` and a key's id, `user:` and a name, or `anonymous`.",
    parse=parse_who,
    default=None,
)
ACTION: Parameter[str | None] = Parameter(
    name="action", kind=Action, description="What was done.", parse=parse_action, default=None
)
AUDIT_SINCE = replace(SINCE, description="Begun then or later, as for mails.")
WAIT = Parameter(
    name="wait",
    kind=Annotated[float, Facts(minimum=0, maximum=MAX_WAIT, default=0)],
    description="Answer once the mail is settled, or after that many seconds.",
    parse=parse_wait,
    default=0.0,
)
_UNAVAILABLE = (HTTPStatus.SERVICE_UNAVAILABLE,)
_UNKNOWN = (HTTPStatus.GATEWAY_TIMEOUT,)
_NO_LEDGER = (HTTPStatus.NOT_IMPLEMENTED,)
_BODY = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)

_NOT_FOUND = (
    "404 if nothing has one of the ids, or the cause; `not_found` has the ids if some have."
)

SUBMIT = Operation(
    id="submitMail",
    method="POST",
    path="/v1/mail",
    summary="Submit a mail",
    description=(
        "Answered only once the mail is kept. The body is JSON whatever its Content-Type says."
        " Without an Idempotency-Key, a mail posted twice is sent twice."
    ),
    tag="mails",
    scope=KeyScope.SEND,
    request_headers={
        "Idempotency-Key": HeaderField(
            kind=Annotated[str, Facts(pattern=idempotency.PATTERN, examples=["order-4711"])],
            description=(
                "Your own name for this submission, bare or as a quoted string. For 24 hours the"
                " same mail under the same key is answered as the first time, and sent once."
            ),
        ),
        "Prefer": HeaderField(
            kind=Annotated[str, Facts(examples=["return=representation"])],
            description="`return=representation` (RFC 7240) gets the mail as a resource.",
        ),
    },
    request=schemas.NewMail,
    response=schemas.Submitted | schemas.SubmittedMail,
    response_headers={
        "Location": HeaderField(kind=str, description="The path of the mail."),
        "Idempotent-Replayed": HeaderField(
            kind=Annotated[str, Facts(const="true")],
            description="This mail was submitted before, under the same key.",
        ),
        "Preference-Applied": HeaderField(kind=str, description="The preference that was met."),
    },
    problems=(
        HTTPStatus.CONFLICT,
        *_BODY,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        *_NO_LEDGER,
        *_UNAVAILABLE,
        *_UNKNOWN,
    ),
    failed=NOT_SUBMITTED,
)
LIST = Operation(
    id="listMails",
    method="GET",
    path="/v1/mail",
    summary="List mails, newest first",
    description=(
        "Your own, or everybody's for a key with the scope admin. Pages do not shift when mails"
        " come in."
    ),
    tag="mails",
    scope=KeyScope.READ,
    parameters=(CLIENT, KEY, STATUS, TO, SINCE, LIMIT, AFTER),
    response=schemas.MailPage,
    problems=(*_NO_LEDGER, *_UNAVAILABLE),
)
SHOW = Operation(
    id="showMail",
    method="GET",
    path="/v1/mail/{id}",
    summary="Show what became of a mail",
    description=(
        "Each process holds 500 waiting requests, and 50 of one client. Beyond that, or when it"
        " stops, the answer comes at once, with `Limbo-Wait` and `Retry-After`."
    ),
    tag="mails",
    scope=KeyScope.READ,
    parameters=(WAIT,),
    response=schemas.MailResource,
    response_headers={
        "Limbo-Wait": HeaderField(
            kind=Annotated[str, Facts(const="not-held")],
            description="There was no place to wait in: the mail is shown as it is now.",
        ),
        "Retry-After": HeaderField(
            kind=Annotated[int, Facts(minimum=1)],
            description="With `Limbo-Wait`: the seconds after which to ask again.",
        ),
    },
    problems=(*_NO_LEDGER, *_UNAVAILABLE),
)
CANCEL = Operation(
    id="cancelMail",
    method="DELETE",
    path="/v1/mail/{id}",
    summary="Cancel a mail that is not being sent yet",
    description="A mail that is cancelled already stays so. 409 says that it is too late.",
    tag="mails",
    scope=KeyScope.SEND,
    response=schemas.CancelledMail,
    problems=(HTTPStatus.CONFLICT, *_NO_LEDGER, *_UNAVAILABLE, *_UNKNOWN),
)
CANCEL_MANY = Operation(
    id="cancelMails",
    method="POST",
    path="/v1/mail/cancel",
    summary="Cancel mails that are not being sent yet, of any client",
    description=(
        "For what a leaked key has posted, among others. At most 10,000 are cancelled at once, the"
        " newest first."
    ),
    tag="mails",
    scope=KeyScope.ADMIN,
    request=schemas.MailChoice,
    response=schemas.CancelledMails,
    problems=(*_BODY, *_NO_LEDGER, *_UNAVAILABLE, *_UNKNOWN),
)
LIST_DEAD = Operation(
    id="listDeadLetters",
    method="GET",
    path="/v1/dead-letters",
    summary="List the dead letters, newest first",
    tag="dead letters",
    scope=KeyScope.ADMIN,
    parameters=(CAUSE, LIMIT, AFTER),
    response=schemas.DeadLetterPage,
    problems=(*_NO_LEDGER, *_UNAVAILABLE),
)
CAUSES = Operation(
    id="countCauses",
    method="GET",
    path="/v1/dead-letters/causes",
    summary="Count the dead letters by cause",
    tag="dead letters",
    scope=KeyScope.ADMIN,
    response=schemas.Causes,
    problems=(*_NO_LEDGER, *_UNAVAILABLE),
)
SHOW_DEAD = Operation(
    id="showDeadLetter",
    method="GET",
    path="/v1/dead-letters/{id}",
    summary="Show a dead letter, by its id or its mail's",
    tag="dead letters",
    scope=KeyScope.ADMIN,
    response=schemas.DeadLetterShape,
    problems=(*_NO_LEDGER, *_UNAVAILABLE),
)
REDRIVE = Operation(
    id="redriveDeadLetters",
    method="POST",
    path="/v1/dead-letters/redrive",
    summary="Put dead letters back into the queue",
    description=_NOT_FOUND,
    tag="dead letters",
    scope=KeyScope.ADMIN,
    request=schemas.Selection,
    response=schemas.Redriven,
    problems=(HTTPStatus.NOT_FOUND, *_BODY, *_NO_LEDGER, *_UNAVAILABLE, *_UNKNOWN),
)
DROP = Operation(
    id="dropDeadLetters",
    method="DELETE",
    path="/v1/dead-letters",
    summary="Delete dead letters for good",
    description=_NOT_FOUND,
    tag="dead letters",
    scope=KeyScope.ADMIN,
    request=schemas.Selection,
    response=schemas.Dropped,
    problems=(HTTPStatus.NOT_FOUND, *_BODY, *_NO_LEDGER, *_UNAVAILABLE, *_UNKNOWN),
)
DROP_ONE = Operation(
    id="dropDeadLetter",
    method="DELETE",
    path="/v1/dead-letters/{id}",
    summary="Delete a dead letter for good",
    tag="dead letters",
    scope=KeyScope.ADMIN,
    response=schemas.Dropped,
    problems=(*_NO_LEDGER, *_UNAVAILABLE, *_UNKNOWN),
)
AUDIT = Operation(
    id="listAudit",
    method="GET",
    path="/v1/audit",
    summary="List what admins did, newest first",
    description="Over HTTP and by command. What is `begun` is under way, or its process died.",
    tag="audit",
    scope=KeyScope.ADMIN,
    parameters=(WHO, ACTION, AUDIT_SINCE, LIMIT, AFTER),
    response=schemas.AuditPage,
    problems=(*_NO_LEDGER, *_UNAVAILABLE),
)
HELLO = Operation(
    id="hello", method="GET", path="/", summary="Say hello", tag="probes", response=schemas.Hello
)
HEALTH = Operation(
    id="health",
    method="GET",
    path="/health",
    summary="Say that limbo is there",
    tag="probes",
    response=schemas.Health,
)
LIVE = Operation(
    id="live",
    method="GET",
    path="/livez",
    summary="Say whether the process runs",
    tag="probes",
    response=schemas.Live,
)
READY = Operation(
    id="ready",
    method="GET",
    path="/readyz",
    summary="Say whether the queue answers",
    tag="probes",
    response=schemas.Ready,
    problems=_UNAVAILABLE,
)
METRICS = Operation(
    id="metrics",
    method="GET",
    path="/metrics",
    summary="Show the metrics in the Prometheus text format",
    tag="probes",
    response=str,
    media_type="text/plain",
    problems=_UNAVAILABLE,
)
DOCUMENT = Operation(
    id="openapi",
    method="GET",
    path="/openapi.json",
    summary="Show this document",
    tag="probes",
    response=dict,
)
OPERATIONS = (
    SUBMIT,
    LIST,
    SHOW,
    CANCEL,
    CANCEL_MANY,
    LIST_DEAD,
    CAUSES,
    SHOW_DEAD,
    REDRIVE,
    DROP,
    DROP_ONE,
    AUDIT,
    HELLO,
    HEALTH,
    LIVE,
    READY,
    METRICS,
    DOCUMENT,
)
