"""What the container of a backend is given, and how it is opened."""

from collections.abc import Iterator
from pkgutil import resolve_name

from dependency_injector import containers, providers

from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.settings.settings import Settings


class Parts(containers.DeclarativeContainer):
    """The container of a backend, which offers ``queue`` and ``dead_letters``.

    One that holds a ledger also has ``ledger`` (the worker's), ``reservations`` (for submissions
    to another queue), ``ledger_reader``, ``outbox`` (where the queue is here as well) and, if it
    holds them, ``api_keys``.
    """

    url = providers.Dependency(instance_of=str)
    settings = providers.Dependency(instance_of=Settings)
    clock = providers.Dependency(instance_of=Clock)


def open_parts(path: str, url: str, settings: Settings, clock: Clock) -> Iterator[Parts]:
    """Load a backend's container, and close in the end what was opened of it."""
    parts: Parts = resolve_name(path)(url=url, settings=settings, clock=clock)
    yield parts
    parts.shutdown_resources()
