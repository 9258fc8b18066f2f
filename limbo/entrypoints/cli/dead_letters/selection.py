"""Finds the dead letters that a command line names."""

from collections.abc import Sequence

from limbo.domain.mail.ids import canonical_id
from limbo.entrypoints.cli.command import Call
from limbo.entrypoints.cli.console import Console
from limbo.ports.dead_letters import DeadLetters

MOST_NAMED = 20
"""The most ids or causes that a message names."""


def letters(count: int) -> str:
    """Return the number with its noun."""
    return f"{count:,} dead {'letter' if count == 1 else 'letters'}" if count else "no dead letters"


def refuse_ambiguity(call: Call) -> None:
    """End the command as wrong usage, unless it names dead letters in exactly one way."""
    arguments = call.arguments
    if bool(arguments.ids) + (arguments.cause is not None) + arguments.all != 1:
        call.refuse("name the dead letters in one way: by their IDs, by --cause, or as --all")


def selection(call: Call) -> dict[str, object]:
    """Return how the command line names the dead letters, for the audit."""
    arguments = call.arguments
    if arguments.ids:
        return {"ids": arguments.ids}
    return {"all": True} if arguments.all else {"cause": arguments.cause}


def selected_ids(call: Call, dead_letters: DeadLetters) -> Sequence[str] | None:
    """Return the ids, each once, or None for an unknown cause; print how many a selection finds."""
    arguments, console = call.arguments, call.console
    if arguments.ids:
        return list(dict.fromkeys(map(canonical_id, arguments.ids)))
    if arguments.all:
        ids = dead_letters.select()
        console.note(f"there {'is' if len(ids) == 1 else 'are'} {letters(len(ids))}")
        return ids
    return _ids_of_cause(arguments.cause, dead_letters, console)


def _ids_of_cause(name: str, dead_letters: DeadLetters, console: Console) -> Sequence[str] | None:
    ids = dead_letters.select(name)
    if not ids:
        known = [cause for cause, _ in dead_letters.causes(MOST_NAMED)]
        names = sorted({str(cause.kind) for cause in known}) + [cause.id for cause in known]
        listed = ", ".join(names[:MOST_NAMED]) or "none"
        console.fail(f"no dead letter has the cause {name!r}; there are: {listed}")
        return None
    console.note(f"{letters(len(ids))} {'matches' if len(ids) == 1 else 'match'}")
    return ids
