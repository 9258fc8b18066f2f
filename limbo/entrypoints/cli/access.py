"""Decides who may use the HTTP API: the holders of API keys, or everybody."""

import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from limbo.domain.access.api_key import KeyScope, KeyState
from limbo.domain.errors import ApiKeysUnavailable, SettingsError
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.api.hosts import is_loopback
from limbo.entrypoints.settings.variables import ALLOW_ANONYMOUS, HOST
from limbo.entrypoints.wiring.container import Container

if TYPE_CHECKING:
    from limbo.ports.api_keys import ApiKeys


def access_for(container: Container) -> Access:
    """Admit the holders of API keys; and everybody, as far as the settings say so.

    Raises SettingsError if that would admit nobody, or if the API keys cannot be read.
    """
    scopes = container.settings().allow_anonymous
    if not scopes and not _has_api_keys(container):
        raise SettingsError(
            f"{ALLOW_ANONYMOUS.name} must be true to let anybody who reaches the api send mail;"
            " or make an API key: limbo keys create --name me --scope send,read --from '*'"
        )
    return _access(container, scopes)


def access_for_dev(container: Container) -> Access:
    """Let everybody on this machine do everything while no mail can leave it.

    That is so until there are API keys: whoever makes them wants to try them.
    """
    settings = container.settings()
    if settings.allow_anonymous or not settings.only_fakes or _has_api_keys(container):
        return access_for(container)
    if not is_loopback(settings.host):
        raise SettingsError(
            f"{HOST.name} must be an address of this machine alone, such as 127.0.0.1, for"
            f" `limbo dev` without API keys; or {ALLOW_ANONYMOUS.name} must be send,read"
        )
    return _access(container, [*KeyScope])


def _access(container: Container, scopes: Collection[KeyScope]) -> Access:
    container.metrics().show_anonymous(scopes)
    return Access(container.api_keys(), anonymous_scopes=scopes)


def _has_api_keys(container: Container) -> bool:
    api_keys: ApiKeys | None = container.api_keys()
    now = time.time()
    try:
        keys = [] if api_keys is None else api_keys.list()
    except ApiKeysUnavailable as error:
        raise SettingsError(f"the API keys cannot be read: {error}") from None
    return any(key.state(now) is KeyState.IN_FORCE for key in keys)
