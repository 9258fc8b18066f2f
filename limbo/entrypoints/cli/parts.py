"""The parts of limbo, for a command that uses them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from limbo.entrypoints.wiring.container import Container


def opened_container(environ: Mapping[str, str]) -> "AbstractContextManager[Container]":
    """Return a context manager of the container: it closes what the command opened.

    The container and its libraries are imported only here, because other commands, and ``--help``,
    must start without them.
    """
    from limbo.entrypoints.wiring.container import opened

    return opened(environ)
