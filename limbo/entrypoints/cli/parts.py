"""The parts of limbo as a command uses them: built from the environment, closed at its end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limbo.entrypoints.wiring.container import Container


@contextmanager
def opened_container(environ: Mapping[str, str]) -> "Iterator[Container]":
    """Yield the container for these settings, and close what was opened through it."""
    from limbo.entrypoints.wiring.container import opened

    with opened(environ) as container:
        yield container
