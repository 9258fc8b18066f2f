"""What the processes of limbo are made of: api, worker, or both for development."""

import atexit
from collections.abc import Mapping

import structlog

from limbo import __version__
from limbo.domain.access.api_key import KeyScope
from limbo.domain.errors import ApiKeysUnavailable, SettingsError
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.app import create_app
from limbo.entrypoints.http.server.uvicorn_server import HttpServer
from limbo.entrypoints.http.worker_app import create_worker_app
from limbo.entrypoints.process.supervisor import Part, hold_signals, run_parts
from limbo.entrypoints.settings.settings import Settings
from limbo.entrypoints.settings.variables import (
    ALLOW_ANONYMOUS,
    API_KEYS_FILE,
    LEDGER,
    PORT,
    QUEUE,
    SENDERS,
    WORKER_PORT,
)
from limbo.entrypoints.telemetry.logs import configure_logging
from limbo.entrypoints.wiring.container import Container, opened
from limbo.ports.api_keys import ApiKeys

_DEV_DEFAULTS = {QUEUE.name: "memory:", SENDERS.name: "fake.a,fake.b"}
_log = structlog.get_logger()


def api(environ: Mapping[str, str]) -> int:
    """Serve the HTTP API until a signal."""
    with opened(environ) as container:
        settings = container.settings()
        _refuse_unshared(settings, "api")
        configure_logging()
        hold_signals()
        server = _api_server(container, _access(container))
        return run_parts([server], started=lambda: _tell("api started", server, settings))


def worker(environ: Mapping[str, str]) -> int:
    """Send mails until a signal."""
    with opened(environ) as container:
        settings = container.settings()
        _refuse_unshared(settings, "worker")
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
        server = _api_server(container, _dev_access(container))

        def welcome() -> None:
            if server.wait_until_started():
                print(_welcome(server.url, settings), flush=True)  # noqa: T201

        return run_parts([server, part, container.janitor()], started=welcome)


def open_api_keys(environ: Mapping[str, str]) -> ApiKeys:
    """Return the store of API keys that the settings name; it is closed at the process's exit."""
    container = Container(environ=environ)
    atexit.register(container.shutdown_resources)
    keys: ApiKeys | None = container.api_keys()
    if keys is None:
        raise SettingsError(
            f"{API_KEYS_FILE.name} must name a file for API keys, or {LEDGER.name} a database"
        )
    return keys


def _dev_access(container: Container) -> Access:
    """Let anybody do anything while no mail can get out and no key asks for more care."""
    if container.settings().only_fakes and not _has_keys(container):
        return Access(None, anonymous_scopes=[*KeyScope])
    return _access(container)


def _access(container: Container) -> Access:
    """Let in who has a key; anybody, where that is asked for or where no mail can get out."""
    settings = container.settings()
    has_keys = _has_keys(container)
    if settings.only_fakes and not has_keys:
        return Access(container.api_keys(), anonymous_scopes=[KeyScope.SEND, KeyScope.READ])
    if settings.allow_anonymous:  # to send is not to read what others sent
        return Access(container.api_keys(), anonymous_scopes=[KeyScope.SEND])
    if not has_keys:
        raise SettingsError(
            f"{ALLOW_ANONYMOUS.name} must be true to let anybody who reaches the api send mail;"
            " or make an API key: limbo keys create --name me --scope send,read --from '*'"
        )
    return Access(container.api_keys())


def _has_keys(container: Container) -> bool:
    keys: ApiKeys | None = container.api_keys()
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


def _refuse_unshared(settings: Settings, role: str) -> None:
    for variable, backend in (
        (QUEUE, settings.queue_backend),
        (LEDGER, settings.ledger_backend),
    ):
        if backend is not None and not backend.shared:
            raise SettingsError(
                f"{variable.name} must not be {backend.plain_form} for `limbo {role}`: no other"
                " process could read it; only `limbo dev` can use it"
            )


def _welcome(url: str, settings: Settings) -> str:
    senders = " and ".join(sender.name for sender in settings.senders)
    if settings.queue_backend.shared:
        kept = f"The queue is {settings.queue_kind}: what it holds is kept."
    else:
        kept = f"The queue is in {settings.queue_kind}: what it holds is gone when limbo stops."
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
