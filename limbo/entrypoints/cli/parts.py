"""The parts of limbo, for a command that uses them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from limbo.domain.errors import SettingsError
from limbo.entrypoints.settings.variables import LEDGER, QUEUE
from limbo.ports.tables import Opening

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from limbo.entrypoints.settings.settings import Settings
    from limbo.entrypoints.wiring.container import Container


def opened_container(
    environ: Mapping[str, str], opening: Opening = Opening.USE
) -> "AbstractContextManager[Container]":
    """Return a context manager of the container: it closes what the command opened.

    The container and its libraries are imported only here, because other commands, and ``--help``,
    must start without them.
    """
    from limbo.entrypoints.wiring.container import opened

    return opened(environ, opening)


def refuse_unshared(settings: "Settings", command: str) -> None:
    """Raise SettingsError if queue or ledger exist in one process alone, which is another one."""
    for variable, backend in (
        (QUEUE, settings.queue_backend),
        (LEDGER, settings.ledger_backend),
    ):
        if backend is not None and not backend.shared:
            raise SettingsError(
                f"{variable.name} must not be {backend.plain_form} for `limbo {command}`: it lives"
                " in one process alone, that of `limbo dev`"
            )
