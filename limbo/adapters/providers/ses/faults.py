"""SES's errors, as botocore raises them, and whose fault each is."""

import re

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
_FAMILIES = ("AccessDenied", "ExpiredToken")  # prefixes of codes
# SES now says "Email address is not verified". The other text is an older one.
_UNVERIFIED = ("not verified", "not have authority to send from")
# A part of a throttle's text, and the pause in seconds.
_PAUSES = {"daily message quota exceeded": 3600.0, "maximum sending rate exceeded": 2.0}
# Access keys have 40 characters. Session tokens and signatures are longer.
_SECRET = re.compile(r"[A-Za-z0-9+/=]{40,}")


def failure_of(error: Exception, *, now: float) -> Failed:
    """Return the failure for any error of a call, at the Unix time ``now``.

    botocore's parsers may fail on odd answers.
    """
    match error:
        case exceptions.ClientError():
            return _refusal(error, now)
        case exceptions.BotoCoreError():
            return _breakdown(error)
        case _:
            return Failed(Fault.UNKNOWN, f"no readable answer: {type(error).__name__}")


def is_denied(error: Exception) -> bool:
    """Tell whether our credentials are valid, but lack the permission for this call."""
    return isinstance(error, exceptions.ClientError) and _code(error) in _DENIED


def _refusal(error: exceptions.ClientError, now: float) -> Failed:
    """Return the failure for an answer of SES: by its code, then its text, then its status."""
    code = _code(error)
    text = str(error.response.get("Error", {}).get("Message", ""))
    answer = error.response.get("ResponseMetadata", {})
    status = int(answer.get("HTTPStatusCode", 0))
    asked = read_retry_after(answer.get("HTTPHeaders", {}).get("retry-after", ""), now)
    fault, pause = fault_of(code, text, status)
    # The further lines of a wrong signature's text repeat the headers of the request.
    said = text.strip().partition("\n")[0]
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
    if code == "MessageRejected" and any(said in text for said in _UNVERIFIED):
        return Fault.ACCOUNT, None
    fault = _FAULTS.get(code.removesuffix("Exception"))
    if fault is None and code.startswith(_FAMILIES):
        fault = Fault.ACCOUNT
    if fault is None and pause is not None:
        fault = Fault.RATE
    if fault is None:
        fault = status_fault(status)
    return fault, pause if fault is Fault.RATE else None


def _breakdown(error: exceptions.BotoCoreError) -> Failed:
    """Return the failure for an error that botocore met before there was an answer."""
    kind = type(error).__name__
    match error:
        case exceptions.ConnectionError():
            return Failed(Fault.OUTAGE, f"not reached: {kind}: {error}")
        case exceptions.HTTPClientError():
            # A connection that closes while the request is written looks like one that closes after
            # it. So the mail may have been sent.
            return Failed(Fault.UNKNOWN, f"no answer: {kind}: {error}")
        case _:
            # All other errors come before a connection: no credentials, no token, no such endpoint.
            return Failed(Fault.ACCOUNT, kind)  # its text may contain a helper program's output
