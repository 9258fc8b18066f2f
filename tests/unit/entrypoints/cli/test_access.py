"""Who may use the api: the holders of keys, and anybody only if somebody said so."""

import pytest

from limbo.domain.access.api_key import KeyScope
from limbo.domain.errors import SettingsError
from limbo.entrypoints.cli.access import access_for, access_for_dev
from limbo.entrypoints.wiring.container import opened
from tests.contracts.api_keys import REVOKED, a_key

SEND, READ, ADMIN = KeyScope
FAKE = {"LIMBO_SENDERS": "fake"}
REAL = {"LIMBO_MAILGUN_KEY": "key", "LIMBO_MAILGUN_DOMAIN": "mg.example.com"}


@pytest.fixture
def open_with(tmp_path):
    """Open the container of settings, with keys in its database."""
    containers = []

    def open_with(environ, *keys):
        queue = {"LIMBO_QUEUE": f"sqlite:///{tmp_path}/limbo.db"}
        manager = opened({**queue, **environ})
        container = manager.__enter__()
        containers.append(manager)
        for key in keys:
            container.api_keys().add(key)
        return container

    yield open_with
    for manager in containers:
        manager.__exit__(None, None, None)


def shown(container):
    value = container.metrics().registry.get_sample_value
    return {s for s in KeyScope if value("limbo_anonymous_access", {"scope": s.value}) == 1}


@pytest.mark.parametrize("senders", [FAKE, REAL], ids=["fake", "real"])
@pytest.mark.parametrize("keys", [[], [{"revoked_at": REVOKED}], [{"expires_at": REVOKED}]])
def test_an_api_without_a_key_in_force_does_not_start(open_with, senders, keys):
    container = open_with(senders, *(a_key(**changes) for changes in keys))
    with pytest.raises(SettingsError, match="LIMBO_ALLOW_ANONYMOUS must be true"):
        access_for(container)


@pytest.mark.parametrize("senders", [FAKE, REAL], ids=["fake", "real"])
@pytest.mark.parametrize("keys", [0, 1])
@pytest.mark.parametrize(
    ("value", "scopes"),
    [("true", {SEND}), ("send", {SEND}), ("send, read", {SEND, READ})],
)
def test_anybody_may_what_the_variable_says_whatever_the_senders(
    open_with, senders, keys, value, scopes
):
    container = open_with(
        {**senders, "LIMBO_ALLOW_ANONYMOUS": value}, *(a_key() for _ in range(keys))
    )
    for access in (access_for(container), access_for_dev(container)):
        assert access.anonymous_scopes == scopes
        assert shown(container) == scopes


@pytest.mark.parametrize("senders", [FAKE, REAL], ids=["fake", "real"])
def test_with_a_key_nobody_may_anything_without_one(open_with, senders):
    container = open_with(senders, a_key())
    for access in (access_for(container), access_for_dev(container)):
        assert access.anonymous_scopes == frozenset()
        assert shown(container) == set()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_on_this_machine_development_is_open(open_with, host):
    container = open_with({**FAKE, "LIMBO_HOST": host})
    assert access_for_dev(container).anonymous_scopes == {*KeyScope}
    assert shown(container) == {*KeyScope}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "limbo.example"])
def test_on_others_it_is_not(open_with, host):
    with pytest.raises(SettingsError, match="LIMBO_HOST must be an address of this machine alone"):
        access_for_dev(open_with({**FAKE, "LIMBO_HOST": host}))


def test_development_with_a_real_provider_needs_a_key(open_with):
    with pytest.raises(SettingsError, match="LIMBO_ALLOW_ANONYMOUS must be true"):
        access_for_dev(open_with(REAL))
