"""``limbo migrate``: brings the tables of the databases to the version that this limbo knows."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limbo.entrypoints.cli.command import Call, Command
from limbo.entrypoints.cli.parts import opened_container, refuse_unshared
from limbo.ports.tables import TablesStatus

if TYPE_CHECKING:
    from limbo.entrypoints.wiring.container import Container
    from limbo.ports.tables import Tables

_DESCRIPTION = """\
Makes the tables of LIMBO_QUEUE and LIMBO_LEDGER, or brings older ones to the version that this
limbo knows. The api and the worker do the same when they start; no other command does. What waits
is kept. Processes that write wait meanwhile, which takes seconds for each million of mails.

--dry-run only says what would be done, and exits with 1 if that is something."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="change nothing, say what would be")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """The tables of one database, before and after."""

    database: str
    before: TablesStatus
    after: TablesStatus

    def line(self) -> str:
        """Return the line for a person."""
        version, known = self.after.version, self.after.known
        if version != self.before.version:
            said = f"taken from version {self.before.version} to {version}"
        elif version == known:
            said = f"version {version}, up to date"
        elif version > known:
            said = f"version {version}, newer, and left as it is; this limbo knows up to {known}"
        elif version:
            said = f"version {version}, would be taken to {known}"
        else:
            said = f"no tables yet; they would be made, of version {known}"
        return f"{self.database}: {said}"

    def document(self) -> dict[str, object]:
        """Return the JSON for a program."""
        return {
            "database": self.database,
            "before": self.before.version,
            "version": self.after.version,
            "known": self.after.known,
            "compatible_with": self.after.compatible_with,
        }


def _run(call: Call) -> int:
    """Migrate each database, or say what that would do; return the exit code."""
    is_rehearsal: bool = call.arguments.dry_run
    with opened_container(call.environ) as container:
        refuse_unshared(container.settings(), "migrate")
        results = [_migrate(*each, is_rehearsal=is_rehearsal) for each in _databases(container)]
    if call.arguments.json:
        call.console.print_json_list([result.document() for result in results])
    else:
        for result in results:
            call.console.print(result.line())
        if not results:
            call.console.print("There are no tables: neither queue nor ledger is a database.")
    is_behind = any(result.after.version < result.after.known for result in results)
    return 1 if is_behind else 0


def _databases(container: "Container") -> Iterator[tuple[str, "Tables"]]:
    parts = [("queue", container.queue_parts())]
    if container.settings().ledger_place == "apart":
        parts.append(("ledger", container.ledger_parts()))
    for name, part in parts:
        tables: Tables | None = part.tables()
        if tables is not None:
            yield name, tables


def _migrate(name: str, tables: "Tables", *, is_rehearsal: bool) -> _Result:
    before = tables.status()
    if not is_rehearsal:
        tables.migrate()
    return _Result(database=name, before=before, after=tables.status())


COMMAND = Command(
    name="migrate",
    summary="bring the tables of the databases up to date",
    description=_DESCRIPTION,
    run=_run,
    add_arguments=_arguments,
    prints_json=True,
)
