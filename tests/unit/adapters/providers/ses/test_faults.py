import pytest
from botocore.exceptions import ClientError

from limbo.adapters.providers.ses.faults import failure_of, fault_of
from limbo.domain.delivery.verdict import Fault


@pytest.mark.parametrize(
    ("code", "text", "status", "fault"),
    [
        ("InvalidParameterValue", "Illegal address", 400, Fault.MAIL),
        ("InvalidParameterValue", "Domain ends with dot", 400, Fault.MAIL),
        ("BadRequestException", "Local address contains control or whitespace", 400, Fault.MAIL),
        ("MessageRejected", "Address blacklisted", 400, Fault.MAIL),
        ("MessageRejected", "Email content is a virus", 400, Fault.MAIL),
        ("MessageRejected", "Email address is not verified. x@y.example", 400, Fault.IDENTITY),
        ("MessageRejectedException", "Email address is not verified.", 400, Fault.IDENTITY),
        ("MessageRejected", "You do not have authority to send from x@y", 400, Fault.IDENTITY),
        ("AccessDenied", "on resource: arn:aws:ses:eu:1:identity/x.example", 403, Fault.IDENTITY),
        ("AccessDeniedException", "arn:aws:ses:eu:1:identity/x@y.example", 403, Fault.IDENTITY),
        ("AccessDeniedException", "on resource: arn:aws:ses:eu:1:template/x", 403, Fault.ACCOUNT),
        ("MailFromDomainNotVerified", "", 400, Fault.ACCOUNT),
        ("MailFromDomainNotVerifiedException", "", 400, Fault.ACCOUNT),
        ("AccountSendingPaused", "", 400, Fault.ACCOUNT),
        ("AccountSendingPausedException", "", 400, Fault.ACCOUNT),
        ("SendingPausedException", "", 400, Fault.ACCOUNT),
        ("AccountSuspendedException", "", 400, Fault.ACCOUNT),
        ("ConfigurationSetDoesNotExist", "", 400, Fault.ACCOUNT),
        ("ConfigurationSetDoesNotExistException", "", 400, Fault.ACCOUNT),
        ("ConfigurationSetSendingPaused", "", 400, Fault.ACCOUNT),
        ("ConfigurationSetSendingPausedException", "", 400, Fault.ACCOUNT),
        ("NotFoundException", "", 404, Fault.ACCOUNT),
        ("AccessDenied", "", 400, Fault.ACCOUNT),
        ("AccessDeniedException", "", 403, Fault.ACCOUNT),
        ("AccessDeniedByPolicy", "", 400, Fault.ACCOUNT),
        ("InvalidClientTokenId", "", 403, Fault.ACCOUNT),
        ("UnrecognizedClientException", "", 400, Fault.ACCOUNT),
        ("SignatureDoesNotMatch", "", 403, Fault.ACCOUNT),
        ("InvalidSignatureException", "", 403, Fault.ACCOUNT),
        ("ExpiredToken", "", 400, Fault.ACCOUNT),
        ("ExpiredTokenException", "", 400, Fault.ACCOUNT),
        ("Throttling", "", 400, Fault.RATE),
        ("ThrottlingException", "", 400, Fault.RATE),
        ("TooManyRequestsException", "", 429, Fault.RATE),
        ("LimitExceededException", "", 400, Fault.RATE),
        ("InternalFailure", "", 500, Fault.OUTAGE),
        ("InternalFailure", "", 400, Fault.OUTAGE),
        ("ServiceUnavailable", "", 503, Fault.OUTAGE),
        ("RequestTimeout", "", 408, Fault.OUTAGE),
        ("RequestTimeoutException", "", 400, Fault.OUTAGE),
        ("Strange", "", 500, Fault.OUTAGE),
        ("Strange", "", 502, Fault.UNKNOWN),
        ("504", "Gateway Timeout", 504, Fault.UNKNOWN),
        ("Strange", "", 400, Fault.MAIL),
        ("Strange", "", 413, Fault.MAIL),
        ("Strange", "", 401, Fault.ACCOUNT),
        ("Strange", "", 403, Fault.ACCOUNT),
        ("Strange", "", 407, Fault.ACCOUNT),
        ("Strange", "", 425, Fault.RATE),
        ("Strange", "", 302, Fault.ACCOUNT),
        ("Strange", "Maximum sending rate exceeded.", 400, Fault.RATE),
    ],
)
def test_blames_by_the_code_then_the_text_then_the_status(code, text, status, fault):
    assert fault_of(code, text, status)[0] is fault


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "LimitExceededException"])
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Daily message quota exceeded.", 3600.0),
        ("Maximum sending rate exceeded.", 2.0),
        ("Too many requests", None),
    ],
)
def test_a_throttle_says_how_long_to_wait(code, text, seconds):
    assert fault_of(code, text, 400) == (Fault.RATE, seconds)


def test_only_a_throttle_says_how_long_to_wait():
    assert fault_of("MessageRejected", "Daily message quota exceeded.", 400) == (Fault.MAIL, None)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:10 GMT"}, 60.0),
        ({"retry-after": "soon"}, 2.0),
        ({}, 2.0),
    ],
)
def test_a_retry_after_says_more_than_the_text(asked, seconds):
    said = {"Code": "Throttling", "Message": "Maximum sending rate exceeded."}
    metadata = {"HTTPStatusCode": 429, "HTTPHeaders": asked}
    error = ClientError({"Error": said, "ResponseMetadata": metadata}, "SendEmail")
    failure = failure_of(error, now=10.0)
    assert (failure.fault, failure.retry_after) == (Fault.RATE, seconds)
