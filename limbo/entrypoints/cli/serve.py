"""What the processes of limbo are made of: api, worker, or both for development."""

from collections.abc import Mapping

import structlog

from limbo import __version__
from limbo.domain.access.api_key import KeyScope
from limbo.domain.errors import ApiKeysUnavailable, SettingsError
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.app import create_app
from limbo.entrypoints.http.resources.submission.gather import GatherLimits
from limbo.entrypoints.http.server.uvicorn_server import HttpServer
from limbo.entrypoints.http.worker_app import create_worker_app
from limbo.entrypoints.process.supervisor import Part, hold_signals, run_parts
from limbo.entrypoints.settings.settings import Settings, load
from limbo.entrypoints.settings.variables import (
    ALLOW_ANONYMOUS,
    API_KEYS_FILE,
    LEDGER,
    PORT,
    QUEUE,
    WORKER_PORT,
)
from limbo.entrypoints.telemetry.logs import configure_logging
from limbo.entrypoints.wiring.container import Container
from limbo.ports.api_keys import ApiKeys

# SQS takes ten mails a call and is far away; where a ledger comes first, fewer steps are better.
_ON_SQS = GatherLimits(batch=10, calls=8)
# A mail among 32 costs a database little more than among 64, and the loop takes in the next ones
# meanwhile. A queue in memory does nothing that another thread could be beside.
_ON_DATABASES = GatherLimits(enough=32)
_log = structlog.get_logger()


def api(environ: Mapping[str, str]) -> int:
    """Serve the HTTP API until a signal."""
    settings = load(environ)
    _refuse_memory(settings, "api")
    configure_logging()
    hold_signals()
    container = Container(settings=settings)
    server = _api_server(container, settings, _access(container, settings))
    return run_parts([server], started=lambda: _tell("api started", server, settings))


def worker(environ: Mapping[str, str]) -> int:
    """Send mails until a signal."""
    settings = load(environ)
    _refuse_memory(settings, "worker")
    configure_logging()
    hold_signals()
    container = Container(settings=settings)
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
    settings = load(environ, dev=True)
    configure_logging(pretty=True)
    hold_signals()
    container = Container(settings=settings)
    if settings.only_fakes and not _has_keys(container):
        access = Access(None, anonymous_scopes=[*KeyScope])
    else:
        access = _access(container, settings)
    part: Part = container.worker()
    container.metrics().watch_breakers(container.dispatcher().states)
    server = _api_server(container, settings, access)

    def welcome() -> None:
        if server.wait_until_started():
            print(_welcome(server.url, settings), flush=True)  # noqa: T201

    return run_parts([server, part, container.janitor()], started=welcome)


def open_api_keys(environ: Mapping[str, str]) -> ApiKeys:
    """Return the store of API keys that the settings name."""
    keys: ApiKeys | None = Container(settings=load(environ)).keys()
    if keys is None:
        raise SettingsError(
            f"{API_KEYS_FILE.name} must name a file for API keys, or {LEDGER.name} a database"
        )
    return keys


def _access(container: Container, settings: Settings) -> Access:
    """Let in who has a key; anybody, where that is asked for or where no mail can get out."""
    has_keys = _has_keys(container)
    if settings.only_fakes and not has_keys:
        return Access(container.keys(), anonymous_scopes=[KeyScope.SEND, KeyScope.READ])
    if settings.allow_anonymous:  # to send is not to read what others sent
        return Access(container.keys(), anonymous_scopes=[KeyScope.SEND])
    if not has_keys:
        raise SettingsError(
            f"{ALLOW_ANONYMOUS.name} must be true to let anybody who reaches the api send mail;"
            " or make an API key: limbo keys create --name me --scope send,read --from '*'"
        )
    return Access(container.keys())


def _has_keys(container: Container) -> bool:
    keys: ApiKeys | None = container.keys()
    try:
        return keys is not None and any(key.revoked_at is None for key in keys.list())
    except ApiKeysUnavailable as error:
        raise SettingsError(f"the API keys cannot be read: {error}") from None


def _tell(event: str, server: HttpServer, settings: Settings) -> None:
    _log.info(
        event,
        version=__version__,
        url=server.url,
        queue=settings.queue_kind,
        ledger=settings.ledger_kind,
        senders=[sender.name for sender in settings.senders],
    )


def _api_server(container: Container, settings: Settings, access: Access) -> HttpServer:
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
        gather=_gather_limits(settings),
    )
    return HttpServer(
        app,
        host=settings.host,
        port=settings.port,
        variable=PORT.name,
        shutdown_seconds=settings.shutdown,
    )


def _gather_limits(settings: Settings) -> GatherLimits:
    match settings.queue_kind:
        case "sqlite" | "postgresql":
            return _ON_DATABASES
        case "sqs" if settings.ledger_kind == "none":
            return _ON_SQS
        case _:
            return GatherLimits()


def _refuse_memory(settings: Settings, role: str) -> None:
    for variable, kind in ((QUEUE, settings.queue_kind), (LEDGER, settings.ledger_kind)):
        if kind == "memory":
            raise SettingsError(
                f"{variable.name} must not be memory: for `limbo {role}`: no other process could"
                " read it; only `limbo dev` can use it"
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
