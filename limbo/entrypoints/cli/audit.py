"""``limbo audit``: what admins did, newest first."""

import argparse
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from limbo.domain.access.audit import Action, AuditEntry
from limbo.domain.errors import SettingsError
from limbo.entrypoints.cli.command import Call, Command, as_argument
from limbo.entrypoints.cli.parts import opened_container, refuse_unshared
from limbo.entrypoints.cli.times import local_time
from limbo.entrypoints.settings.parsers import whole
from limbo.ports.audit_log import AuditQuery

if TYPE_CHECKING:
    from limbo.ports.audit_log import AuditLog

_DESCRIPTION = """\
Shows what admins did, over HTTP and by command, newest first: when, who, from where, what, to which
selection, how it ended, and how many keys, mails or dead letters it has changed. What is `begun` is
under way, or its process died amid it."""
_HEADINGS = ("AT", "WHO", "FROM", "ACTION", "RESULT", "COUNT", "SELECTION")
_DAY = 86_400


def _run(call: Call) -> int:
    """Show a page of the audit."""
    from limbo.entrypoints.http.api.representations import audit_representation

    arguments, console = call.arguments, call.console
    query = AuditQuery(
        who=arguments.who,
        action=arguments.action,
        since=None if arguments.days is None else time.time() - arguments.days * _DAY,
        after=arguments.after,
        limit=arguments.limit + 1,
    )
    with opened_container(call.environ) as container:
        settings = container.settings()
        refuse_unshared(settings, "audit")
        audit_log: AuditLog | None = container.audit_log()
        if audit_log is None:
            raise SettingsError(
                "LIMBO_LEDGER must name a database for the audit; without one, the lines"
                ' "admin action" in the logs are all there is'
            )
        found = audit_log.page(query)
    entries, has_more = found[: arguments.limit], len(found) > arguments.limit
    if arguments.json:
        console.print_json_list([audit_representation(each) for each in entries], has_more=has_more)
        return 0
    if entries:
        console.print_table([_row(each) for each in entries], headings=_HEADINGS)
    if has_more:
        console.note(f"there are more: limbo audit --after {entries[-1].id}")
    elif not entries:
        console.note("no entries")
    return 0


def _row(entry: AuditEntry) -> Sequence[str]:
    return (
        local_time(entry.at),
        entry.actor.who,
        entry.actor.origin,
        entry.action,
        entry.result,
        "" if entry.count is None else str(entry.count),
        entry.selection,
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--who", metavar="WHO", help="those of key:ID, user:NAME or anonymous")
    parser.add_argument(
        "--action", choices=[*Action], metavar="ACTION", help=f"one of {', '.join(Action)}"
    )
    parser.add_argument(
        "--days",
        type=as_argument(whole(1, 36_500), before="must be "),
        metavar="N",
        help="those of the last N days",
    )
    parser.add_argument(
        "--limit",
        type=as_argument(whole(1, 1000), before="must be "),
        default=50,
        metavar="N",
        help="how many (default: 50)",
    )
    parser.add_argument("--after", metavar="ID", help="show those that follow this entry")


COMMAND = Command(
    name="audit",
    summary="show what admins did",
    description=_DESCRIPTION,
    run=_run,
    add_arguments=_add_arguments,
    prints_json=True,
)
