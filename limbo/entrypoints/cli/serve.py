"""Runs the processes of limbo: api, worker, or both for development."""

from collections.abc import Collection, Mapping
from functools import partial

import structlog

from limbo import __version__
from limbo.domain.access.api_key import KeyScope
from limbo.entrypoints.cli.access import access_for, access_for_dev
from limbo.entrypoints.cli.parts import refuse_unshared
from limbo.entrypoints.cli.welcome import welcome_text
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.api.hosts import HostPolicy
from limbo.entrypoints.http.app import create_app
from limbo.entrypoints.http.probe_app import create_probe_app
from limbo.entrypoints.http.server.uvicorn_server import HttpServer
from limbo.entrypoints.process.memory_watch import MemoryWatch
from limbo.entrypoints.process.open_files import raise_open_files
from limbo.entrypoints.process.patience import until_open
from limbo.entrypoints.process.supervisor import Part, hold_signals, run_parts
from limbo.entrypoints.settings.settings import Settings
from limbo.entrypoints.settings.variables import (
    METRICS_PORT,
    PORT,
    QUEUE,
    SENDERS,
    WORKER_PORT,
    Variable,
)
from limbo.entrypoints.telemetry.logs import configure_logging
from limbo.entrypoints.wiring.container import Container, opened

_DEV_DEFAULTS = {QUEUE.name: "memory:", SENDERS.name: "fake.a,fake.b"}
_MOST_CONNECTIONS = 10_000
_PROBE_CONNECTIONS = 128  # of a port for probes and metrics
_KEPT_FILES = 128  # for databases, the log, the probes' port, and connections that just ended
_HASHES = {
    "setting": "under LIMBO_HASH_SECRET",
    "ledger": "under this installation's secret",
    "queue": "under this installation's secret",
    "process": "of this process alone, they match no other's; LIMBO_HASH_SECRET makes them match",
}
_log = structlog.get_logger()


def api(environ: Mapping[str, str]) -> int:
    """Serve the HTTP API until a signal."""
    with opened(environ) as container:
        settings = container.settings()
        refuse_unshared(settings, "api")
        configure_logging()
        until_open(lambda: _open_stores(container))
        hold_signals()
        access = access_for(container)
        servers = _api_servers(container, access, connections=_connections(0))
        anonymous = _names(access.anonymous_scopes)
        parts: list[Part] = [*servers, container.clock_watch(), MemoryWatch()]
        return run_parts(
            parts,
            started=lambda: _tell("api started", servers[0], settings, anonymous=anonymous),
        )


def worker(environ: Mapping[str, str]) -> int:
    """Send mails until a signal."""
    with opened(environ) as container:
        settings = container.settings()
        refuse_unshared(settings, "worker")
        configure_logging()
        until_open(lambda: _open_stores(container))
        hold_signals()
        raise_open_files()
        part: Part = container.worker()
        metrics = container.metrics()
        metrics.watch_queue(container.queue())
        metrics.watch_breakers(container.dispatcher().states)
        server = _probe_server(container, settings.worker_port, WORKER_PORT)
        parts = [part, container.janitor(), container.clock_watch(), MemoryWatch(), server]
        return run_parts(parts, started=lambda: _tell("worker started", server, settings))


def dev(environ: Mapping[str, str]) -> int:
    """Run api and worker in one process, and say how to post a first mail."""
    with opened(environ) as container:
        container.defaults.override(_DEV_DEFAULTS)
        settings = container.settings()
        configure_logging(pretty=True)
        hold_signals()
        part: Part = container.worker()
        container.metrics().watch_breakers(container.dispatcher().states)
        access = access_for_dev(container)
        connections = _connections(settings.concurrency)
        servers = _api_servers(container, access, connections=connections)
        text = partial(welcome_text, settings=settings, anonymous=access.anonymous_scopes)

        def welcome() -> None:
            if servers[0].wait_until_started():
                print(text(servers[0].url, servers[-1].url), flush=True)  # noqa: T201

        parts = [*servers, part, container.janitor(), container.clock_watch(), MemoryWatch()]
        code = run_parts(parts, started=welcome)
        _tell_what_is_gone(container)
        return code


def _open_stores(container: Container) -> None:
    """Open what may not answer yet: the databases of queue, ledger and API keys."""
    container.queue()
    container.ledger_reader()
    container.api_keys()


def _tell_what_is_gone(container: Container) -> None:
    """Say how many mails end with a queue that exists in this process alone."""
    if not container.settings().queue_backend.shared:
        depth = container.queue().depth()
        if waiting := depth.ready + depth.in_flight + depth.deferred:
            _log.warning(
                "unsent mails are gone", queue=container.settings().queue_kind, mails=waiting
            )


def _names(scopes: Collection[KeyScope]) -> list[str]:
    return [scope.value for scope in KeyScope if scope in scopes]


def _tell(event: str, server: HttpServer, settings: Settings, **more: object) -> None:
    _log.info(
        event,
        version=__version__,
        url=server.url,
        queue=settings.queue_kind,
        ledger=settings.ledger_kind,
        senders=[sender.name for sender in settings.senders],
        address_hashes=_HASHES[settings.address_hashes],
        **settings.files,
        **more,
    )


def _connections(others: int) -> int:
    """Return how many connections an api may take, beside so many ``others`` of its process."""
    return max(64, min(_MOST_CONNECTIONS, raise_open_files() - _KEPT_FILES - others))


def _api_servers(container: Container, access: Access, *, connections: int) -> list[HttpServer]:
    """Return the api's server; and that of its metrics, if they have a port of their own."""
    settings = container.settings()
    metrics = container.metrics()
    metrics.watch_queue(container.queue())
    app = create_app(
        outbox=container.outbox(),
        readiness=container.readiness(),
        metrics=metrics,
        access=access,
        hosts=_hosts(settings),
        audit=container.audit(),
        ledger_reader=container.ledger_reader(),
        dead_letters=container.dead_letters(),
        deduplicates=settings.deduplicates,
        gather=container.gather_limits(),
        shows_metrics=settings.metrics_port is None,
        trusted_proxies=settings.trusted_proxies,
        address_hash=container.address_hash(),
    )
    server = HttpServer(
        app,
        host=settings.host,
        port=settings.port,
        variable=PORT.name,
        shutdown_seconds=settings.shutdown,
        connections=connections,
        metrics=metrics,
    )
    if settings.metrics_port is None:
        return [server]
    return [server, _probe_server(container, settings.metrics_port, METRICS_PORT)]


def _probe_server(container: Container, port: int, variable: Variable) -> HttpServer:
    settings = container.settings()
    metrics = container.metrics()
    return HttpServer(
        create_probe_app(queue=container.queue(), metrics=metrics, hosts=_hosts(settings)),
        host=settings.host,
        port=port,
        variable=variable.name,
        shutdown_seconds=1,
        connections=_PROBE_CONNECTIONS,
        metrics=metrics,
    )


def _hosts(settings: Settings) -> HostPolicy:
    return HostPolicy(listens_on=settings.host, allowed=settings.allowed_hosts)
