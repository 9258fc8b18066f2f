"""Runs the processes of limbo: api, worker, or both for development."""

from collections.abc import Mapping

import structlog

from limbo import __version__
from limbo.entrypoints.cli.access import access_for, access_for_dev
from limbo.entrypoints.cli.parts import refuse_unshared
from limbo.entrypoints.cli.welcome import welcome_text
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.app import create_app
from limbo.entrypoints.http.server.uvicorn_server import HttpServer
from limbo.entrypoints.http.worker_app import create_worker_app
from limbo.entrypoints.process.supervisor import Part, hold_signals, run_parts
from limbo.entrypoints.settings.settings import Settings
from limbo.entrypoints.settings.variables import PORT, QUEUE, SENDERS, WORKER_PORT
from limbo.entrypoints.telemetry.logs import configure_logging
from limbo.entrypoints.wiring.container import Container, opened

_DEV_DEFAULTS = {QUEUE.name: "memory:", SENDERS.name: "fake.a,fake.b"}
_log = structlog.get_logger()


def api(environ: Mapping[str, str]) -> int:
    """Serve the HTTP API until a signal."""
    with opened(environ) as container:
        settings = container.settings()
        refuse_unshared(settings, "api")
        configure_logging()
        hold_signals()
        server = _api_server(container, access_for(container))
        return run_parts([server], started=lambda: _tell("api started", server, settings))


def worker(environ: Mapping[str, str]) -> int:
    """Send mails until a signal."""
    with opened(environ) as container:
        settings = container.settings()
        refuse_unshared(settings, "worker")
        configure_logging()
        hold_signals()
        part: Part = container.worker()
        metrics = container.metrics()
        metrics.watch_queue(container.queue())
        metrics.watch_breakers(container.dispatcher().states)
        server = HttpServer(
            create_worker_app(queue=container.queue(), metrics=metrics),
            host=settings.host,
            port=settings.worker_port,
            variable=WORKER_PORT.name,
            shutdown_seconds=1,
        )
        parts = [part, container.janitor(), server]
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
        server = _api_server(container, access_for_dev(container))

        def welcome() -> None:
            if server.wait_until_started():
                print(welcome_text(server.url, settings), flush=True)  # noqa: T201

        code = run_parts([server, part, container.janitor()], started=welcome)
        _tell_what_is_gone(container)
        return code


def _tell_what_is_gone(container: Container) -> None:
    """Say how many mails end with a queue that exists in this process alone."""
    if not container.settings().queue_backend.shared:
        depth = container.queue().depth()
        if waiting := depth.ready + depth.in_flight + depth.deferred:
            _log.warning(
                "unsent mails are gone", queue=container.settings().queue_kind, mails=waiting
            )


def _tell(event: str, server: HttpServer, settings: Settings) -> None:
    _log.info(
        event,
        version=__version__,
        url=server.url,
        queue=settings.queue_kind,
        ledger=settings.ledger_kind,
        senders=[sender.name for sender in settings.senders],
    )


def _api_server(container: Container, access: Access) -> HttpServer:
    settings = container.settings()
    metrics = container.metrics()
    metrics.watch_queue(container.queue())
    app = create_app(
        outbox=container.outbox(),
        queue=container.queue(),
        metrics=metrics,
        access=access,
        ledger_reader=container.ledger_reader(),
        dead_letters=container.dead_letters(),
        deduplicates=settings.deduplicates,
        gather=container.gather_limits(),
    )
    return HttpServer(
        app,
        host=settings.host,
        port=settings.port,
        variable=PORT.name,
        shutdown_seconds=settings.shutdown,
    )
