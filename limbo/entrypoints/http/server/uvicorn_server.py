"""Serves an ASGI application with uvicorn, as one part of a process."""

import errno
import socket
import threading
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from limbo.domain.errors import SettingsError
from limbo.entrypoints.http.server.placed_protocol import PlacedProtocol
from limbo.entrypoints.http.server.places import Places
from limbo.entrypoints.http.server.refusals import Refusals
from limbo.entrypoints.http.server.unread import UnreadAnswers
from limbo.entrypoints.settings.variables import HOST
from limbo.entrypoints.telemetry.metrics import Metrics

_KEEP_ALIVE_SECONDS = 75  # Longer than the usual 60 s of a load balancer in front.
_BACKLOG = 2048
_NO_ADDRESS = {errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_NODATA}


class HttpServer:
    """Listens from its construction on, so that a port in use is an error before anything runs.

    It takes up to so many ``connections``, idle ones included.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        variable: str,
        shutdown_seconds: float,
        connections: int,
        metrics: Metrics,
    ) -> None:
        self._socket = _listen(host, port, variable)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=partial(  # type: ignore[arg-type] # uvicorn calls whatever it is given
                    PlacedProtocol,
                    places=Places(connections),
                    unread=UnreadAnswers(),
                    refusals=Refusals(metrics),
                ),
                ws="none",
                proxy_headers=False,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(shutdown_seconds)),
            )
        )

    @property
    def url(self) -> str:
        """Return the URL of the root."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> None:
        """Serve until stopped; requests under way are answered first."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Start to stop."""
        self._server.should_exit = True

    def wait_until_started(self, seconds: float = 10.0) -> bool:
        """Wait until requests are answered; return whether they are."""
        pause = threading.Event()
        for _ in range(int(seconds / 0.01)):
            if self._server.started:
                return True
            pause.wait(0.01)
        return False


def _listen(host: str, port: int, variable: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        if not isinstance(error, OSError) or error.errno in _NO_ADDRESS:
            raise SettingsError(f"{HOST.name} must be an address of this machine: {host}") from None
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"{variable} must be free to listen on: {port}: {reason}") from None
