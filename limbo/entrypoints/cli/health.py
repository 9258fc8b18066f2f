"""``limbo health``: whether the api or the worker of this machine lives.

It runs every few seconds for as long as a container does, so that it imports little: no container,
no library, nor ``http.client``.
"""

from limbo.entrypoints.cli.command import Call, Command

_DESCRIPTION = """\
Asks /livez on LIMBO_PORT, then on LIMBO_WORKER_PORT, and exits with 0 if either answers: for the
health check of a container, whatever its role."""
_SECONDS = 3.0
_LONGEST_LINE = 1000


def _run(call: Call) -> int:
    """Ask the api, then the worker, of this machine; return 0 if either says that it lives."""
    from limbo.entrypoints.settings.environment import Environment
    from limbo.entrypoints.settings.listening import read_listening

    at = read_listening(Environment(call.environ, defaults={}))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(at.host, at.host)  # noqa: S104 - compared, not bound
    return 0 if any(_lives(host, port) for port in (at.port, at.worker_port)) else 1


def _lives(host: str, port: int) -> bool:
    import socket

    name = f"[{host}]" if ":" in host else host
    request = f"GET /livez HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as connection:
            connection.sendall(request.encode())
            status_line = connection.makefile("rb").readline(_LONGEST_LINE)
    except OSError:
        return False
    return status_line.split()[1:2] == [b"200"]


COMMAND = Command(
    name="health",
    summary="ask the api or worker on this machine whether it lives",
    description=_DESCRIPTION,
    run=_run,
)
