"""Each record of a backend names parts that are there."""

from pkgutil import resolve_name

import pytest

from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.settings.backend import find_backend
from limbo.entrypoints.wiring.backends import BACKENDS
from limbo.entrypoints.wiring.bootstrap import load_settings

_QUEUE = ("queue", "dead_letters")
_LEDGER = ("ledger", "reservations", "ledger_reader", "outbox")


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_its_container_offers_what_the_record_promises(backend):
    parts = resolve_name(backend.parts)(url="-", settings=load_settings({}), clock=Clock())
    promised = (
        *_QUEUE,
        *(_LEDGER if backend.holds_ledger else ()),
        *(("api_keys",) if backend.holds_api_keys else ()),
    )
    assert set(promised) <= set(parts.providers)


@pytest.mark.parametrize(
    "slip", ["memory", "sqlite", "postgresql", "postgres", "sqlite:///", "mysql://h/d", "a b"]
)
def test_a_slip_is_no_backend(slip):
    assert find_backend(slip, BACKENDS) is None
