"""What an SES account may do, as far as our credentials may ask."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from limbo.adapters.providers.ses.faults import is_denied, is_not_found
from limbo.domain.mail.address import Address

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

T = TypeVar("T")


def account_problems(client: "SESV2Client", source: Address | None) -> Iterator[str]:
    """Yield what keeps the account from sending to everybody. Raises what the client raises.

    Credentials that lack the permission to ask (``ses:GetAccount``, ``ses:GetEmailIdentity``) may
    still send, so that a question denied is no problem.
    """
    if (account := _unless_denied(client.get_account)) is not None:
        if not account.get("SendingEnabled"):
            yield "sending is paused for this account"
        if account.get("ProductionAccessEnabled") is False:
            yield "the account is in the sandbox: only verified addresses get mail from it"
    if source is not None and not _is_verified(client, source):
        yield "the source is no verified identity in this region"


def _is_verified(client: "SESV2Client", source: Address) -> bool:
    """Say whether the address, its domain or one above it is verified, or may not be asked for."""
    return any(_is_verified_identity(client, identity) for identity in _identities(source))


def _is_verified_identity(client: "SESV2Client", identity: str) -> bool:
    try:
        answer = _unless_denied(lambda: client.get_email_identity(EmailIdentity=identity))
    except Exception as error:
        if is_not_found(error):
            return False
        raise
    return answer is None or bool(answer.get("VerifiedForSendingStatus"))


def _identities(source: Address) -> Iterator[str]:
    yield source.email
    labels = source.email.rpartition("@")[2].split(".")
    yield from (".".join(labels[start:]) for start in range(len(labels) - 1))


def _unless_denied(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except Exception as error:
        if is_denied(error):
            return None
        raise
