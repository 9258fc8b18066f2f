"""Amazon SES, over version 2 of its API: SendEmail with a raw message.

boto3 is imported inside the functions, so that a process without this sender does not load it.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Self

from limbo.adapters.providers.faults import name_addresses
from limbo.adapters.providers.mime import message_bytes
from limbo.adapters.providers.parsers import address
from limbo.adapters.providers.ses.exchange import Exchange
from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict
from limbo.domain.errors import SettingsError
from limbo.domain.mail.address import Address, parse_address
from limbo.domain.mail.mail import Mail
from limbo.ports.sender_kind import SenderKind, SenderOptions, SenderVariable

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import SendEmailRequestTypeDef, SendEmailResponseTypeDef

_OK = 200


class SesSender:
    """Sends through SES in one region of one AWS account."""

    def __init__(
        self,
        client: "SESV2Client",
        *,
        name: str,
        source: Address | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._now = now
        self._client = client
        self._source = source
        self._exchange = Exchange()
        self._exchange.watch(client)

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
        """Build a sender with botocore's credentials and endpoint. Nothing is called yet.

        ``pool_size`` is how many sends may run at once. ``timeout`` is how many seconds SES has for
        its answer. Raises ValueError if ``source`` is no address, and BotoCoreError if no region is
        known or the credentials cannot be read.
        """
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=3,
            read_timeout=timeout,
            max_pool_connections=pool_size,
            retries={"total_max_attempts": 1},  # a second try could send the mail twice
        )
        session = boto3.Session(region_name=region)
        client = session.client("sesv2", config=config)
        return cls(client, name=name, source=parse_address(source) if source else None)

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()

    def send(self, mail: Mail) -> Verdict:
        """Send the mail once."""
        from limbo.adapters.providers.ses.faults import failure_of

        payload, exchange = _payload(mail, self._source), self._exchange
        exchange.forget()
        try:
            answer = self._client.send_email(**payload)
        except Exception as error:  # noqa: BLE001 - botocore's parsers may fail on odd answers
            own = () if self._source is None else (self._source,)
            return failure_of(
                error,
                now=self._now(),
                written=exchange.written,
                whole=exchange.whole,
                named=partial(name_addresses, mail=mail, sources=own),
            )
        if answer["ResponseMetadata"]["HTTPStatusCode"] < _OK:
            # What it announces would be taken for the answer to the next mail on the connection.
            self._client.close()  # the idle connections; it can be used as before
        return _verdict(answer, whole=exchange.whole)

    def check(self) -> str | None:
        """Ask whether the account may send, to everybody, and from the source."""
        from limbo.adapters.providers.ses.account import account_problems
        from limbo.adapters.providers.ses.faults import failure_of

        try:
            return "; ".join(account_problems(self._client, self._source)) or None
        except Exception as error:  # noqa: BLE001 - as above
            return failure_of(error, now=self._now()).reason


def _verdict(answer: "SendEmailResponseTypeDef", *, whole: bool) -> Verdict:
    """Return the verdict of a success: botocore takes any 2xx for one, and 1xx as well."""
    status, provider_id = answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("MessageId")
    if status != _OK or not whole:
        return Failed(Fault.UNKNOWN, f"no readable answer: {status}")
    if not provider_id or not isinstance(provider_id, str):
        return Failed(Fault.UNKNOWN, "no readable answer: no MessageId")
    return Accepted(provider_id)


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


def _build(options: SenderOptions) -> SesSender:
    from botocore.exceptions import BotoCoreError

    try:
        return SesSender.connect(
            name=options.name,
            region=options.region,
            source=options.values.get("source"),
            pool_size=options.pool_size,
            timeout=options.timeout,
        )
    except (BotoCoreError, ValueError) as error:  # its text may contain a program's output
        raise SettingsError(
            f"LIMBO_REGION and the AWS_ variables must let {options.name} be set up"
            f" ({type(error).__name__})"
        ) from None


KIND = SenderKind(
    name="ses",
    build=_build,
    implied_by="source",
    variables=(
        SenderVariable(
            name="source",
            original="SESSOURCE",
            parse=address,
            meaning="the address that SES sends from;"
            " a mail's own `from` then becomes its Reply-To",
        ),
    ),
)
