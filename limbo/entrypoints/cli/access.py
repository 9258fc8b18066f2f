"""Decides who may use the HTTP API: the holders of API keys, or everybody."""

from typing import TYPE_CHECKING

from limbo.domain.access.api_key import KeyScope
from limbo.domain.errors import ApiKeysUnavailable, SettingsError
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.settings.variables import ALLOW_ANONYMOUS
from limbo.entrypoints.wiring.container import Container

if TYPE_CHECKING:
    from limbo.ports.api_keys import ApiKeys


def access_for(container: Container) -> Access:
    """Admit the holders of API keys; and everybody, if the settings say so or no mail can get out.

    Raises SettingsError if that would admit nobody, or if the API keys cannot be read.
    """
    settings = container.settings()
    has_api_keys = _has_api_keys(container)
    if settings.only_fakes and not has_api_keys:
        return Access(container.api_keys(), anonymous_scopes=[KeyScope.SEND, KeyScope.READ])
    if settings.allow_anonymous:  # to send is not to read what others sent
        return Access(container.api_keys(), anonymous_scopes=[KeyScope.SEND])
    if not has_api_keys:
        raise SettingsError(
            f"{ALLOW_ANONYMOUS.name} must be true to let anybody who reaches the api send mail;"
            " or make an API key: limbo keys create --name me --scope send,read --from '*'"
        )
    return Access(container.api_keys())


def access_for_dev(container: Container) -> Access:
    """Let everybody do everything while no mail can get out and there are no API keys."""
    if container.settings().only_fakes and not _has_api_keys(container):
        return Access(None, anonymous_scopes=[*KeyScope])
    return access_for(container)


def _has_api_keys(container: Container) -> bool:
    api_keys: ApiKeys | None = container.api_keys()
    try:
        return api_keys is not None and any(key.revoked_at is None for key in api_keys.list())
    except ApiKeysUnavailable as error:
        raise SettingsError(f"the API keys cannot be read: {error}") from None
