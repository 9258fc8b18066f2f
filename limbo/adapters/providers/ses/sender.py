"""Amazon SES, by version 2 of its API: SendEmail with a raw message."""

import re
from typing import TYPE_CHECKING, Self

import boto3
from botocore import exceptions
from botocore.config import Config

from limbo.adapters.providers.mime import message_bytes
from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict
from limbo.domain.mail.address import Address, parse_address
from limbo.domain.mail.mail import Mail

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import SendEmailRequestTypeDef

# By code, without the "Exception" that version 2 of the API adds to some.
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
_FAMILIES = ("AccessDenied", "ExpiredToken")  # any code that begins so
# Of the two, "Email address is not verified" is what SES says now.
_UNVERIFIED = ("not verified", "not have authority to send from")
# What a rate's text says, and how many seconds it means.
_PAUSES = {"daily message quota exceeded": 3600.0, "maximum sending rate exceeded": 2.0}
_STATUSES = {
    **dict.fromkeys((401, 402, 403, 404, 407), Fault.ACCOUNT),
    **dict.fromkeys((408, 425, 429), Fault.RATE),
}
# Access keys are 40 characters; session tokens and signatures are longer.
_SECRET = re.compile(r"[A-Za-z0-9+/=]{40,}")


class SesSender:
    """Sends through one AWS account's SES in one region."""

    def __init__(self, client: "SESV2Client", *, name: str, source: Address | None = None) -> None:
        self.name = name
        self._client = client
        self._source = source

    @classmethod
    def connect(
        cls,
        *,
        name: str,
        region: str | None = None,
        source: str | None = None,
        pool_size: int = 64,
        timeout: float = 10.0,
    ) -> Self:
        """Build a sender with the credentials and endpoint that botocore finds; nothing is called.

        ``pool_size`` is how many sends may be under way at once; ``timeout`` is how many seconds
        SES has for its answer. Raises ValueError for a ``source`` that is no address, and
        BotoCoreError where no region is known or the credentials cannot be read.
        """
        config = Config(
            connect_timeout=3,
            read_timeout=timeout,
            max_pool_connections=pool_size,
            retries={"total_max_attempts": 1},  # a second try could double the mail
        )
        session = boto3.Session(region_name=region)
        client = session.client("sesv2", config=config)
        return cls(client, name=name, source=parse_address(source) if source else None)

    def send(self, mail: Mail) -> Verdict:
        """Send the mail once."""
        payload = _payload(mail, self._source)
        try:
            answer = self._client.send_email(**payload)
        except Exception as error:  # noqa: BLE001 - botocore's parsers trip over a strange answer
            return _failure(error)
        provider_id = answer.get("MessageId")
        if not provider_id or not isinstance(provider_id, str):
            # botocore takes an answer that was cut off for a whole one.
            return Failed(Fault.UNKNOWN, "no readable answer: no MessageId")
        return Accepted(provider_id)

    def check(self) -> str | None:
        """Ask whether the account may send.

        Credentials that may send and not ask (``ses:GetAccount``) are no reason for doubt.
        """
        try:
            answer = self._client.get_account()
        except Exception as error:  # noqa: BLE001 - as above
            denied = isinstance(error, exceptions.ClientError) and _code(error) in _DENIED
            return None if denied else _failure(error).reason
        return None if answer.get("SendingEnabled") else "sending is paused for this account"


def _payload(mail: Mail, source: Address | None) -> "SendEmailRequestTypeDef":
    return {
        "FromEmailAddress": (source or mail.from_).email,
        "Destination": {
            "ToAddresses": [address.email for address in mail.to],
            "CcAddresses": [address.email for address in mail.cc],
            "BccAddresses": [address.email for address in mail.bcc],
        },
        "Content": {"Raw": {"Data": message_bytes(mail, source=source)}},
    }


def _failure(error: Exception) -> Failed:
    match error:
        case exceptions.ClientError():
            return _refusal(error)
        case exceptions.BotoCoreError():
            return _breakdown(error)
        case _:
            return Failed(Fault.UNKNOWN, f"no readable answer: {type(error).__name__}")


def _refusal(error: exceptions.ClientError) -> Failed:
    """Judge an answer of SES: by its code, then its text, then its status."""
    code = _code(error)
    text = str(error.response.get("Error", {}).get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    fault, pause = _fault(code, text.lower(), status)
    # From its second line on, a wrong signature's text repeats the headers of the request.
    said = text.strip().partition("\n")[0]
    return Failed(fault, _SECRET.sub("<secret>", f"{status} {code}: {said}"), pause)


def _code(error: exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _fault(code: str, text: str, status: int) -> tuple[Fault, float | None]:
    pause = next((seconds for said, seconds in _PAUSES.items() if said in text), None)
    if code == "MessageRejected" and any(said in text for said in _UNVERIFIED):
        return Fault.ACCOUNT, None
    fault = _FAULTS.get(code.removesuffix("Exception"))
    if fault is None and code.startswith(_FAMILIES):
        fault = Fault.ACCOUNT
    if fault is None and pause is not None:
        fault = Fault.RATE
    if fault is None:
        fault = _STATUSES.get(status) or _by_class(status)
    return fault, pause if fault is Fault.RATE else None


def _by_class(status: int) -> Fault:
    if status >= 500:  # noqa: PLR2004 - the class of server errors
        return Fault.OUTAGE
    # Below the client errors lie the redirects of something that is not SES.
    return Fault.MAIL if status >= 400 else Fault.ACCOUNT  # noqa: PLR2004


def _breakdown(error: exceptions.BotoCoreError) -> Failed:
    """Judge what botocore met before there was an answer."""
    kind = type(error).__name__
    match error:
        case exceptions.ConnectionError():
            return Failed(Fault.OUTAGE, f"not reached: {kind}: {error}")
        case exceptions.HTTPClientError():
            # A connection that closed while the request was written looks like one that closed
            # after it: the mail may have been sent.
            return Failed(Fault.UNKNOWN, f"no answer: {kind}: {error}")
        case _:
            # All others come before a connection: no credentials, no token, no such endpoint.
            return Failed(Fault.ACCOUNT, kind)  # its text may hold what a helper program printed
