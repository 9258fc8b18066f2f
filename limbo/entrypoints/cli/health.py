"""``limbo health``: whether the api or the worker of this machine lives."""

from limbo.entrypoints.cli.command import Call, Command

_DESCRIPTION = """\
Asks /livez on LIMBO_PORT, then on LIMBO_WORKER_PORT, and exits with 0 if either answers: for the
health check of a container, whatever its role."""
_SECONDS = 3.0


def _run(call: Call) -> int:
    """Ask the api, then the worker, of this machine; return 0 if either says that it lives."""
    from limbo.entrypoints.wiring.bootstrap import load_settings

    settings = load_settings(call.environ)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    return 0 if any(_lives(host, port) for port in (settings.port, settings.worker_port)) else 1


def _lives(host: str, port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


COMMAND = Command(
    name="health",
    summary="ask the api or worker on this machine whether it lives",
    description=_DESCRIPTION,
    run=_run,
)
