"""Mailgun, over its HTTP API: POST /v3/<domain>/messages, or messages.mime."""

import base64
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from limbo.adapters.providers.faults import (
    clean_text,
    exchange_failure,
    mask_secrets,
    name_addresses,
    read_retry_after,
)
from limbo.adapters.providers.mailgun.faults import fault_of
from limbo.adapters.providers.mailgun.payload import form_fields, mime_fields
from limbo.adapters.providers.mime import holds_variable
from limbo.adapters.providers.parsers import http_url
from limbo.adapters.providers.response import NotSent, ProviderResponse, ResponseLost
from limbo.domain.delivery.verdict import Accepted, Failed, Fault, Verdict
from limbo.domain.mail.mail import Mail
from limbo.ports.sender_kind import SenderKind, SenderOptions, SenderVariable

if TYPE_CHECKING:
    from limbo.adapters.providers.http_api import HttpApi

US_URL = "https://api.mailgun.net"

_OK = 200


class MailgunSender:
    """Sends through one domain of a Mailgun account."""

    def __init__(
        self,
        api: "HttpApi",
        *,
        name: str,
        domain: str,
        secrets: tuple[str, ...],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Take an API that has the credentials. ``secrets`` are masked in the reasons."""
        self.name = name
        self._api = api
        self._path = f"/v3/{quote(domain, safe='')}/messages"
        self._secrets = secrets
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
        """Build a sender with its own connection pool. Nothing is called yet.

        ``pool_size`` is how many sends may run at once. ``timeout`` is how many seconds Mailgun has
        for its answer.
        """
        from limbo.adapters.providers.http_api import HttpApi

        basic = base64.b64encode(f"api:{key}".encode()).decode()
        api = HttpApi.connect(
            url.rstrip("/").removesuffix("/v3"),
            headers={"Authorization": f"Basic {basic}"},
            pool_size=pool_size,
            timeout=timeout,
        )
        secrets = (key, quote(key, safe=""), basic)
        return cls(api, name=name, domain=domain, secrets=secrets)

    def close(self) -> None:
        """Close the idle connections."""
        self._api.close()

    def send(self, mail: Mail) -> Verdict:
        """Post the mail once."""
        named = partial(name_addresses, mail=mail)
        form = form_fields(mail)
        if any(holds_variable(value) for _, value in form):
            mime = mime_fields(mail)
            return self._post(lambda: self._api.post_multipart(f"{self._path}.mime", mime), named)
        return self._post(lambda: self._api.post_form(self._path, form), named)

    def check(self) -> str | None:
        """Post a mail without a From address and recipients, which Mailgun must refuse.

        A sending key allows no other request.
        """
        nothing = [("o:testmode", "yes")]
        match self._post(lambda: self._api.post_form(self._path, nothing)):
            case Accepted() | Failed(fault=Fault.MAIL):
                return None
            case Failed(reason=reason):
                return reason

    def _post(
        self, call: Callable[[], ProviderResponse], named: Callable[[str], str] = str
    ) -> Verdict:
        try:
            response = call()
        except (NotSent, ResponseLost) as error:
            return exchange_failure(error)
        return self._verdict(response, named)

    def _verdict(self, response: ProviderResponse, named: Callable[[str], str]) -> Verdict:
        document = response.json_object()
        if response.status == _OK and (provider_id := clean_text(document.get("id"))):
            return Accepted(provider_id)
        said = named(clean_text(document.get("message"))) or "no message of Mailgun's"
        reason = mask_secrets(f"{response.status} {response.phrase}: {said}", self._secrets)
        pause = read_retry_after(response.retry_after, self._now())
        return Failed(fault_of(response), reason, pause)


def _build(options: SenderOptions) -> MailgunSender:
    return MailgunSender.connect(
        name=options.name,
        **options.values,
        pool_size=options.pool_size,
        timeout=options.timeout,
    )


KIND = SenderKind(
    name="mailgun",
    build=_build,
    implied_by="key",
    variables=(
        SenderVariable(
            name="key",
            original="MAILGUN",
            meaning="Mailgun's sending API key",
            secret=True,
            required=True,
        ),
        SenderVariable(
            name="domain",
            original="DOMAIN",
            meaning="the sending domain at Mailgun",
            required=True,
        ),
        SenderVariable(
            name="url",
            default=US_URL,
            parse=http_url,
            meaning="Mailgun's region; `https://api.eu.mailgun.net` for the EU",
        ),
    ),
)
