"""Mailgun, by its HTTP API: POST /v3/<domain>/messages."""

import base64
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Self
from urllib.parse import quote

import orjson

from limbo.adapters.providers.http_api import (
    BoundedSession,
    NotSent,
    ProviderResponse,
    ResponseLost,
)
from limbo.adapters.providers.mime import message_id
from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict
from limbo.domain.mail.mail import Mail

US_URL = "https://api.mailgun.net"

# 404 is "Domain not found", 407 a proxy's.
_FAULTS = {
    **dict.fromkeys((401, 402, 403, 404, 407), Fault.ACCOUNT),
    **dict.fromkeys((408, 425, 429), Fault.RATE),
}
_OK = 200
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)


class MailgunSender:
    """Sends through one domain of a Mailgun account."""

    def __init__(
        self,
        session: BoundedSession,
        *,
        name: str,
        key: str,
        domain: str,
        url: str,
        timeout: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._session = session
        self._url = f"{url.rstrip('/').removesuffix('/v3')}/v3/{quote(domain, safe='')}/messages"
        basic = base64.b64encode(f"api:{key}".encode()).decode()
        self._authorization = f"Basic {basic}"
        self._secrets = (key, quote(key, safe=""), basic)
        self._timeout = timeout
        self._now = now

    @classmethod
    def connect(
        cls,
        *,
        name: str,
        key: str,
        domain: str,
        url: str = US_URL,
        pool_size: int = 64,
        timeout: float = 10.0,
    ) -> Self:
        """Build a sender with a pool of its own; nothing is called yet.

        ``pool_size`` is how many sends may be under way at once; ``timeout`` is how many seconds
        Mailgun has for its answer.
        """
        session = BoundedSession(pool_size)
        return cls(session, name=name, key=key, domain=domain, url=url, timeout=timeout)

    def send(self, mail: Mail) -> Verdict:
        """Post the mail once."""
        return self._post(_payload(mail))

    def check(self) -> str | None:
        """Post a mail without sender and recipients, to be refused for just that.

        A key that may only send may ask nothing else of Mailgun.
        """
        match self._post([("o:testmode", "yes")]):
            case Accepted() | Failed(fault=Fault.MAIL):
                return None
            case Failed(reason=reason):
                return reason

    def _post(self, fields: list[tuple[str, str]]) -> Verdict:
        try:
            answer = self._session.post_form(
                self._url, fields, authorization=self._authorization, timeout=self._timeout
            )
        except NotSent as error:
            return Failed(Fault.OUTAGE, f"not reached: {error}")
        except ResponseLost as error:
            return Failed(Fault.UNKNOWN, f"no answer: {error}")
        return self._verdict(answer)

    def _verdict(self, answer: ProviderResponse) -> Verdict:
        document = _document(answer.body)
        if answer.status == _OK and (provider_id := _text(document.get("id"))):
            return Accepted(provider_id)
        said = _text(document.get("message")) or "no message of Mailgun's"
        reason = f"{answer.status} {answer.phrase}: {said}"
        for secret in self._secrets:
            reason = reason.replace(secret, "<key>")
        return Failed(_fault(answer.status), reason, _retry_after(answer.retry_after, self._now()))


def _payload(mail: Mail) -> list[tuple[str, str]]:
    return [
        ("from", str(mail.from_)),
        *(("to", str(address)) for address in mail.to),
        *(("cc", str(address)) for address in mail.cc),
        *(("bcc", str(address)) for address in mail.bcc),
        ("subject", mail.subject),
        ("text", mail.message),
        ("h:Message-Id", message_id(mail)),
        ("v:limbo_id", mail.id),
    ]


def _fault(status: int) -> Fault:
    if fault := _FAULTS.get(status):
        return fault
    if status >= 500:  # noqa: PLR2004 - the class of server errors
        return Fault.OUTAGE
    # A 2xx without an id ("Mailgun Magnificent API") or a 3xx means that the URL is wrong.
    return Fault.MAIL if status >= 400 else Fault.ACCOUNT  # noqa: PLR2004


def _document(body: bytes) -> dict[str, object]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: object) -> str:
    """Return a foreign string without what no log or database takes."""
    text = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else " " for c in text[:2000]).strip()[:1000]


def _retry_after(value: str, now: float) -> float | None:
    """Read a Retry-After (RFC 9110, section 10.2.3), in seconds or as a date."""
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
