"""The base of the containers of backends, and how one is opened."""

from collections.abc import Iterator
from pkgutil import resolve_name

from dependency_injector import containers, providers

from limbo.adapters.encoding.mail_codec import MailCodec
from limbo.entrypoints.process.clock import Clock
from limbo.entrypoints.settings.settings import Settings
from limbo.ports.tables import Opening, Tables


class Parts(containers.DeclarativeContainer):
    """The container of a backend: it provides ``queue`` and ``dead_letters``.

    If it is shared, it also provides ``stored_bodies``.
    If the backend holds a ledger, it also provides ``ledger`` (for the worker), ``reservations``
    (for submissions to the queue of another backend), ``ledger_reader``, ``audit_log``, ``erasure``
    (if it is shared), and ``outbox`` (for submissions to its own queue). If it holds API keys, it
    provides ``api_keys``; if it holds secrets of the installation, ``secrets``. If it is made of
    tables, it provides ``tables``.
    """

    url = providers.Dependency(instance_of=str)
    settings = providers.Dependency(instance_of=Settings)
    clock = providers.Dependency(instance_of=Clock)
    opening = providers.Dependency(instance_of=Opening)
    codec = providers.Dependency(instance_of=MailCodec)
    tables: providers.Provider[Tables | None] = providers.Object(None)


def open_parts(
    path: str, url: str, settings: Settings, clock: Clock, opening: Opening, *, codec: MailCodec
) -> Iterator[Parts]:
    """Yield the container of a backend, and close in the end what it has opened."""
    make = resolve_name(path)
    parts: Parts = make(url=url, settings=settings, clock=clock, opening=opening, codec=codec)
    yield parts
    parts.shutdown_resources()
