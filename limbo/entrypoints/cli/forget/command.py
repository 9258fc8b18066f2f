"""``limbo forget``: erases what limbo knows of an address."""

import argparse
from typing import TYPE_CHECKING

from limbo.domain.access.audit import Action
from limbo.entrypoints.cli.audited import audited
from limbo.entrypoints.cli.command import Call, Command
from limbo.entrypoints.cli.parts import opened_container, refuse_unshared

if TYPE_CHECKING:
    from limbo.entrypoints.cli.forget.forgetting import Forgotten, Found

_DESCRIPTION = """\
Erases the mails from or to an address: bodies, all their addresses and subjects, dead letters and
idempotency keys. What stays of each mail is its id, client, status and times. A mail that is not
sent yet is named, and cancelled first or left; the dead letters are all looked through.
docs/data.md says what lies where, and what a database, its log and its backups keep.

Without ADDRESS, its first line of standard input is the address. Killed at any moment, it can be
run again.

Exit code: 0 nothing of the address is left; 1 something is, or something failed; 2 wrong usage or
settings."""
_MOST_NAMED = 20


def _run(call: Call) -> int:
    """Find, ask, erase, and say how much of what."""
    from limbo.entrypoints.cli.forget.forgetting import Forgetting

    arguments, console = call.arguments, call.console
    address = _address(call)
    if not (arguments.yes or arguments.dry_run or console.input.isatty()):
        call.refuse("nobody can be asked here whether to erase them for good: add --yes")
    with opened_container(call.environ) as container:
        refuse_unshared(container.settings(), "forget")
        if container.erasure() is None:
            console.note("there is no ledger: only the dead letters are looked through")
        forgetting = Forgetting(
            container.dead_letters(), container.ledger_reader(), container.erasure()
        )
        found = forgetting.find(address)
        _tell_found(call, found)
        if arguments.dry_run:
            return 0
        if not arguments.yes and not console.confirmed("Erase them for good?"):
            console.note("nothing was erased")
            return 1
        cancel = arguments.cancel_queued or (
            bool(found.waiting)
            and not arguments.yes
            and console.confirmed("Cancel the mails that are not sent yet?")
        )
        selection = {"address": container.address_hash()(address), "cancel": cancel}
        with audited(console, container)(Action.FORGET, selection) as changed:
            forgotten = forgetting.forget(found, cancel=cancel)
            changed.count = forgotten.erased.mails + forgotten.dropped
    return _tell_forgotten(call, found, forgotten)


def _address(call: Call) -> str:
    from limbo.domain.mail.address import parse_address

    given = call.arguments.address
    text = call.console.input.readline() if given is None else given
    try:
        return parse_address(text.strip()).email
    except ValueError as error:
        call.refuse(f"ADDRESS: {error}")


def _tell_found(call: Call, found: "Found") -> None:
    console, waiting, letters = call.console, found.waiting, found.letters
    console.note(
        f"mails: {len(found.mails):,}, not sent yet: {len(waiting):,},"
        f" dead letters: {len(letters.ids):,}"
    )
    for mail in waiting[:_MOST_NAMED]:
        console.note(f"  {mail.id} {mail.status}")
    if len(waiting) > _MOST_NAMED:
        console.note(f"  and {len(waiting) - _MOST_NAMED:,} more")
    if letters.unreadable:
        console.note(f"dead letters under a body key that is missing here: {letters.unreadable:,}")


def _tell_forgotten(call: Call, found: "Found", done: "Forgotten") -> int:
    counts = {
        "mails": done.erased.mails,
        "bodies": done.erased.bodies,
        "dead_letters": done.dropped,
        "idempotency_keys": done.erased.idempotency_keys,
        "cancelled": done.cancelled,
        "left": len(done.left),
        "unreadable": found.letters.unreadable,
    }
    if call.arguments.json:
        left = [{"id": mail.id, "status": mail.status} for mail in done.left]
        call.console.print_json({**counts, "left": left})
    else:
        rows = [(name.replace("_", " "), f"{count:,}") for name, count in counts.items()]
        call.console.print_table(rows, headings=("ERASED", "COUNT"))
    if done.stays is not None:
        call.console.note(f"note: {done.stays}")
    if done.left:
        call.console.fail(
            "mails are left that are not sent yet, or are new; run it again once they are sent"
        )
    return 1 if done.left or found.letters.unreadable else 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", nargs="?", metavar="ADDRESS", help="default: standard input")
    parser.add_argument("--dry-run", action="store_true", help="only say what there is")
    parser.add_argument("--yes", action="store_true", help="do not ask; leave what is not sent yet")
    parser.add_argument(
        "--cancel-queued", action="store_true", help="cancel what is not sent yet, and erase it too"
    )


COMMAND = Command(
    name="forget",
    summary="erase what is known of an address",
    description=_DESCRIPTION,
    run=_run,
    add_arguments=_add_arguments,
    prints_json=True,
)
