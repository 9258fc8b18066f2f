"""What the processes of limbo are made of: api, worker, or both for development."""

from collections.abc import Mapping

import structlog

from limbo import __version__
from limbo.domain.errors import SettingsError
from limbo.entrypoints.container import Container
from limbo.entrypoints.http.app import create_app
from limbo.entrypoints.http.worker_app import create_worker_app
from limbo.entrypoints.logs import configure_logging
from limbo.entrypoints.runner import run_parts
from limbo.entrypoints.server import HttpServer
from limbo.entrypoints.settings import Settings, load
from limbo.entrypoints.variables import ALLOW_ANONYMOUS, PORT, WORKER_PORT

_log = structlog.get_logger()


def api(environ: Mapping[str, str]) -> int:
    """Serve the HTTP API until a signal."""
    settings = load(environ)
    _refuse_memory(settings, "api")
    _refuse_open_relay(settings)
    configure_logging()
    server = _api_server(Container(settings=settings), settings)
    return run_parts([server], started=lambda: _tell("api started", server, settings))


def worker(environ: Mapping[str, str]) -> int:
    """Send mails until a signal."""
    settings = load(environ)
    _refuse_memory(settings, "worker")
    configure_logging()
    container = Container(settings=settings)
    part = container.worker()
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
    settings = load(environ, dev=True)
    if not settings.only_fakes:
        _refuse_open_relay(settings)
    configure_logging(pretty=True)
    container = Container(settings=settings)
    part = container.worker()
    container.metrics().watch_breakers(container.dispatcher().states)
    server = _api_server(container, settings)

    def welcome() -> None:
        if server.wait_until_started():
            print(_welcome(server.url, settings), flush=True)  # noqa: T201

    return run_parts([server, part, container.janitor()], started=welcome)


def _tell(event: str, server: HttpServer, settings: Settings) -> None:
    _log.info(
        event,
        version=__version__,
        url=server.url,
        queue=settings.queue_kind,
        ledger=settings.ledger_kind,
        senders=[sender.name for sender in settings.senders],
    )


def _api_server(container: Container, settings: Settings) -> HttpServer:
    metrics = container.metrics()
    metrics.watch_queue(container.queue())
    app = create_app(outbox=container.outbox(), queue=container.queue(), metrics=metrics)
    return HttpServer(
        app,
        host=settings.host,
        port=settings.port,
        variable=PORT.name,
        shutdown_seconds=settings.shutdown,
    )


def _refuse_memory(settings: Settings, role: str) -> None:
    if settings.queue_kind == "memory":
        raise SettingsError(
            "LIMBO_QUEUE must not be memory: for `limbo "
            f"{role}`: nobody else could read that queue; only `limbo dev` can use it"
        )


def _refuse_open_relay(settings: Settings) -> None:
    """Start no api by which whoever reaches it can send real mail, unless that is wanted."""
    if not settings.only_fakes and not settings.allow_anonymous:
        raise SettingsError(
            f"{ALLOW_ANONYMOUS.name} must be true to let anybody who reaches the api send mail"
            " (there are no API keys, and LIMBO_SENDERS is not only fakes)"
        )


def _welcome(url: str, settings: Settings) -> str:
    senders = " and ".join(sender.name for sender in settings.senders)
    kept = {
        "memory": "The queue is in memory: what it holds is gone when limbo stops.",
    }.get(settings.queue_kind, f"The queue is {settings.queue_kind}: what it holds is kept.")
    real = "" if settings.only_fakes else "\nMAILS ARE REALLY SENT: not all senders are fakes.\n"
    post = f"curl -i {url}/v1/mail -d"
    fields = '"from": "me@example.com", "subject": "Hello", "message": "Is anybody there?"'
    return f"""
limbo {__version__} listens on {url}
Senders are {senders}. {kept}
{real}
Post a mail (paste this into another terminal):

  {post} '{{"to": "you@example.com", {fields}}}'

See it fail over from one provider to the next:

  {post} '{{"to": "outage+ok@limbo.test", {fields}}}'

Metrics are on {url}/metrics. What becomes of each mail appears here. Ctrl-C stops limbo.
"""
