"""Where the processes of this machine listen: all that their health check has to know."""

from dataclasses import dataclass

from limbo.entrypoints.settings.environment import Environment
from limbo.entrypoints.settings.parsers import text, whole
from limbo.entrypoints.settings.variables import HOST, PORT, WORKER_PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The address that api and worker listen on, and the port of each."""

    host: str
    port: int
    worker_port: int


def read_listening(env: Environment) -> Listening:
    """Read it. Raises SettingsError, as ``Environment.read`` does."""
    return Listening(
        host=env.need(HOST, text),
        port=env.need(PORT, whole(0, 65535)),
        worker_port=env.need(WORKER_PORT, whole(0, 65535)),
    )
