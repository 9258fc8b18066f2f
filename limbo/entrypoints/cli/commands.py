"""The table of commands."""

from collections.abc import Sequence

from limbo.entrypoints.cli import (
    api,
    audit,
    bodies,
    check,
    dev,
    hash_address,
    health,
    migrate,
    worker,
)
from limbo.entrypoints.cli.command import Command, CommandGroup
from limbo.entrypoints.cli.dead_letters import command as dead_letters
from limbo.entrypoints.cli.forget import command as forget
from limbo.entrypoints.cli.keys import command as keys

COMMANDS: Sequence[Command | CommandGroup] = (
    dev.COMMAND,
    api.COMMAND,
    worker.COMMAND,
    check.COMMAND,
    migrate.COMMAND,
    health.COMMAND,
    dead_letters.COMMAND,
    keys.COMMAND,
    audit.COMMAND,
    forget.COMMAND,
    bodies.COMMAND,
    hash_address.COMMAND,
)
