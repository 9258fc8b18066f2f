"""Mailgun's answers that are no acceptance, and whose fault each is."""

import re

from limbo.adapters.providers.faults import status_fault
from limbo.adapters.providers.response import ProviderResponse
from limbo.domain.delivery.verdict import Fault

_OK = 200
_FORBIDDEN = 403
# What Mailgun answers, with a 200, to any path that it does not know.
_FRONT_PAGE = b"Mailgun Magnificent API"
# A sandbox refuses a recipient, and advises to add it in the "Account Settings".
_SANDBOX = "authorized recipients"
# Whole words alone: a domain or an address that is repeated may hold them.
_ACCOUNT = re.compile(r"(?<![\w.@-])(?:api_?)?(?:key|account|plan)s?(?![\w@-]|\.\w)", re.IGNORECASE)


def fault_of(response: ProviderResponse) -> Fault:
    """Return the fault of an answer that holds no id."""
    if response.status == _OK and _FRONT_PAGE in response.body:
        return Fault.ACCOUNT  # the URL is wrong
    if response.status == _FORBIDDEN:
        return _forbidden(response.body.decode(errors="replace"))
    return status_fault(response.status)


def _forbidden(text: str) -> Fault:
    """Return whether Mailgun forbids one address or domain, or whatever we send."""
    if _SANDBOX in text.lower():
        return Fault.IDENTITY
    return Fault.ACCOUNT if _ACCOUNT.search(text) else Fault.IDENTITY
