"""``limbo health``: whether the api or the worker of this machine lives."""

import http.client
from collections.abc import Mapping

from limbo.entrypoints.settings.settings import load

_HEALTH_SECONDS = 3.0


def health(environ: Mapping[str, str]) -> int:
    """Ask the api, then the worker, of this machine; return 0 if either says that it lives."""
    settings = load(environ)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    return 0 if any(_lives(host, port) for port in (settings.port, settings.worker_port)) else 1


def _lives(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=_HEALTH_SECONDS)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
