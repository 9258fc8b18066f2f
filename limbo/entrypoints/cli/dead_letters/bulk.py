"""Redrives and drops dead letters, one or many, and says what was done."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from limbo.domain.access.audit import Action
from limbo.domain.errors import LimboError
from limbo.entrypoints.cli.audited import Audited
from limbo.entrypoints.cli.command import Call
from limbo.entrypoints.cli.console import Console
from limbo.entrypoints.cli.dead_letters.progress import Progress
from limbo.entrypoints.cli.dead_letters.selection import (
    MOST_NAMED,
    letters,
    refuse_ambiguity,
    selected_ids,
    selection,
)
from limbo.ports.dead_letters import DeadLetters, OnProgress

if TYPE_CHECKING:
    from limbo.entrypoints.telemetry.audit import Changed

_Recorded = AbstractContextManager["Changed"]
_Change = Callable[[Sequence[str], OnProgress], int]


def redrive(call: Call, dead_letters: DeadLetters, audited: Audited) -> int:
    """Redrive the named dead letters; return the exit code."""
    refuse_ambiguity(call)
    ids = selected_ids(call, dead_letters)
    if ids is None:
        return 1
    recorded = audited(Action.REDRIVE, selection(call))
    return _apply(call, dead_letters.redrive, ids, recorded, done="redriven")


def drop(call: Call, dead_letters: DeadLetters, audited: Audited) -> int:
    """Drop the named dead letters; ask first, unless ids name them; return the exit code."""
    refuse_ambiguity(call)
    is_sure = call.arguments.ids or call.arguments.yes
    if not is_sure and not call.console.input.isatty():
        call.refuse("nobody can be asked here whether to drop them for good: add --yes")
    ids = selected_ids(call, dead_letters)
    if ids is None:
        return 1
    if ids and not is_sure and not _confirmed(len(ids), call.console):
        call.console.note("nothing was dropped")
        return 1
    return _apply(
        call, dead_letters.drop, ids, audited(Action.DROP, selection(call)), done="dropped"
    )


def _confirmed(count: int, console: Console) -> bool:
    return console.confirmed(f"Delete {letters(count)} for good?")


def _apply(
    call: Call, change: _Change, ids: Sequence[str], recorded: _Recorded, *, done: str
) -> int:
    progress = Progress(call.console, done, len(ids))
    count, problem = 0, None
    try:
        with recorded as changed:
            try:
                count = change(ids, progress.add)
            finally:
                changed.count = count or len(progress.ids)
    except (LimboError, KeyboardInterrupt) as error:
        count, problem = len(progress.ids), str(error) or "interrupted"
    progress.clear()
    left = [id_ for id_ in ids if id_ not in progress.ids]
    if call.arguments.json:
        not_found, not_done = (left, []) if problem is None else ([], left)
        call.console.print_json(
            {done: count, "not_found": not_found, "not_done": not_done, "error": problem}
        )
    else:
        call.console.print(f"{letters(count)} {done}")
    if problem is not None:
        call.console.fail(f"{problem}; {len(left):,} not {done}")
    elif left:
        call.console.fail(f"not found: {_some(left)}")
    return 1 if left or problem else 0


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - MOST_NAMED:,} more" if len(ids) > MOST_NAMED else ""
    return f"{' '.join(ids[:MOST_NAMED])}{more}"
