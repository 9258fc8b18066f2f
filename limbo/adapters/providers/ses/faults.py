"""SES's errors, as botocore raises them, and whose fault each is."""

import re
from collections.abc import Callable

from botocore import exceptions

from limbo.adapters.providers.faults import read_retry_after, status_fault
from limbo.domain.delivery.verdict import Failed, Fault

# By error code. Version 2 of the API adds "Exception" to some codes, which is removed before.
_FAULTS = {
    **dict.fromkeys(("InvalidParameterValue", "BadRequest", "MessageRejected"), Fault.MAIL),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccountSendingPaused",
            "AccountSuspended",
            "ConfigurationSetDoesNotExist",
            "ConfigurationSetSendingPaused",
            "ExpiredToken",
            "InvalidClientTokenId",
            "InvalidSignature",
            "MailFromDomainNotVerified",
            "NotFound",
            "SendingPaused",
            "SignatureDoesNotMatch",
            "UnrecognizedClient",
        ),
        Fault.ACCOUNT,
    ),
    **dict.fromkeys(("Throttling", "TooManyRequests", "LimitExceeded"), Fault.RATE),
    **dict.fromkeys(("InternalFailure", "ServiceUnavailable", "RequestTimeout"), Fault.OUTAGE),
}
_DENIED = ("AccessDenied", "AccessDeniedException")
_MISSING = ("NotFound", "NotFoundException")
_FAMILIES = ("AccessDenied", "ExpiredToken")  # prefixes of codes
# SES now says "Email address is not verified". The other text is an older one.
_UNVERIFIED = ("not verified", "not have authority to send from")
# A part of a throttle's text, and the pause in seconds.
_PAUSES = {"daily message quota exceeded": 3600.0, "maximum sending rate exceeded": 2.0}
# What an AccessDenied names: arn:aws:ses:eu-west-1:123456789012:identity/shop@example.com
_IDENTITY = "identity/"
_IDENTITY_ARN = re.compile(r"arn:aws[^\s/]*:identity/")
_ARN = re.compile(r"arn:aws\S*")
# Access keys have 40 characters. Session tokens and signatures are longer.
_SECRET = re.compile(r"[A-Za-z0-9+/=]{40,}")


def failure_of(
    error: Exception,
    *,
    now: float,
    written: bool | None = None,
    whole: bool = True,
    named: Callable[[str], str] = str,
) -> Failed:
    """Return the failure for any error of a call, at the Unix time ``now``.

    ``written`` and ``whole`` are those of the exchange, ``named`` gives SES's text its form.
    botocore's parsers may fail on odd answers.
    """
    match error:
        case exceptions.ClientError() if not whole:
            return Failed(Fault.UNKNOWN, "no readable answer: it was cut off")
        case exceptions.ClientError():
            return _refusal(error, now, named)
        case exceptions.BotoCoreError():
            return _breakdown(error, written=written)
        case _:
            return Failed(Fault.UNKNOWN, f"no readable answer: {type(error).__name__}")


def is_denied(error: Exception) -> bool:
    """Tell whether our credentials are valid, but lack the permission for this call."""
    return isinstance(error, exceptions.ClientError) and _code(error) in _DENIED


def is_not_found(error: Exception) -> bool:
    """Tell whether SES knows nothing of what was asked for."""
    return isinstance(error, exceptions.ClientError) and _code(error) in _MISSING


def _refusal(error: exceptions.ClientError, now: float, named: Callable[[str], str]) -> Failed:
    """Return the failure for an answer of SES: by its code, then its text, then its status."""
    code = _code(error)
    text = str(error.response.get("Error", {}).get("Message", ""))
    answer = error.response.get("ResponseMetadata", {})
    status = int(answer.get("HTTPStatusCode", 0))
    asked = read_retry_after(answer.get("HTTPHeaders", {}).get("retry-after", ""), now)
    fault, pause = fault_of(code, text, status)
    # The further lines of a wrong signature's text repeat the headers of the request.
    said = text.strip().partition("\n")[0]
    if fault is Fault.IDENTITY:  # shown to the client, whom our account and user do not concern
        said = _ARN.sub("<arn>", _IDENTITY_ARN.sub(_IDENTITY, said))
    said = named(said)
    return Failed(
        fault,
        _SECRET.sub("<secret>", f"{status} {code}: {said}"),
        pause if asked is None else asked,
    )


def _code(error: exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def fault_of(code: str, text: str, status: int) -> tuple[Fault, float | None]:
    """Return the fault of an answer, and the seconds that SES wants us to wait."""
    text = text.lower()
    pause = next((seconds for said, seconds in _PAUSES.items() if said in text), None)
    name = code.removesuffix("Exception")
    if name == "MessageRejected" and any(said in text for said in _UNVERIFIED):
        return Fault.IDENTITY, None
    if name.startswith("AccessDenied") and _IDENTITY in text:
        return Fault.IDENTITY, None
    fault = _FAULTS.get(name)
    if fault is None and code.startswith(_FAMILIES):
        fault = Fault.ACCOUNT
    if fault is None and pause is not None:
        fault = Fault.RATE
    if fault is None:
        fault = status_fault(status)
    return fault, pause if fault is Fault.RATE else None


def _breakdown(error: exceptions.BotoCoreError, *, written: bool | None) -> Failed:
    """Return the failure for an error that botocore met before there was an answer.

    Its kind alone does not tell whether the mail had been written: a TLS error is a ConnectionError
    whenever it comes, and a connection that closes while the mail is written is as one that closes
    after it.
    """
    kind = type(error).__name__
    match error:
        case exceptions.ConnectionError() if not written:
            return Failed(Fault.OUTAGE, f"not reached: {kind}: {error}")
        case exceptions.HTTPClientError() if written is False:
            return Failed(Fault.OUTAGE, f"not sent: {kind}: {error}")
        case exceptions.ConnectionError() | exceptions.HTTPClientError():
            return Failed(Fault.UNKNOWN, f"no answer: {kind}: {error}")
        case _:
            # All other errors come before a connection: no credentials, no token, no such endpoint.
            return Failed(Fault.ACCOUNT, kind)  # its text may contain a helper program's output
