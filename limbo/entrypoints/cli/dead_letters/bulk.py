"""Redriving and dropping dead letters: which ones, whether really, and how far it is."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field

from limbo.domain.errors import LimboError
from limbo.entrypoints.cli.console import Console
from limbo.ports.dead_letters import DeadLetters

_DONE = {"redrive": "redriven", "drop": "dropped"}
_MOST_NAMED = 20  # of those not found
_TERMINAL_SECONDS, _PLAIN_SECONDS = 0.1, 2.0


@dataclass(slots=True)
class _Progress:
    """Says how far it is: one line that counts up on a terminal, else a line now and then."""

    console: Console
    action: str
    total: int
    settled: set[str] = field(default_factory=set)
    said_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.said_at = self.console.now()

    def add(self, ids: Sequence[str]) -> None:
        self.settled.update(ids)
        now, terminal = self.console.now(), self.console.err.isatty()
        if now - self.said_at < (_TERMINAL_SECONDS if terminal else _PLAIN_SECONDS):
            return
        self.said_at = now
        text = f"{len(self.settled):,} of {self.total:,} {_DONE[self.action]}"
        self.console.err.write(f"\r{text}" if terminal else f"{text}\n")
        self.console.err.flush()

    def clear(self) -> None:
        """Leave the line free for what comes last."""
        if self.console.err.isatty():
            self.console.err.write("\r\x1b[K")


def settle(parsed: argparse.Namespace, dead_letters: DeadLetters, console: Console) -> int:
    """Redrive or drop what was named; return the exit code."""
    _refuse_misuse(parsed, console)
    ids = parsed.ids or _selected(parsed, dead_letters, console)
    if ids is None:
        return 1
    unsure = parsed.action == "drop" and not parsed.ids and not parsed.yes
    if ids and unsure and not _confirmed(len(ids), console):
        console.note("nothing was dropped")
        return 1
    return _settle(parsed, dead_letters, console, list(dict.fromkeys(ids)))


def _refuse_misuse(parsed: argparse.Namespace, console: Console) -> None:
    if bool(parsed.ids) + (parsed.cause is not None) + parsed.all != 1:
        parsed.refuse("name the dead letters in one way: by their IDs, by --cause, or as --all")
    if parsed.action == "drop" and not (parsed.ids or parsed.yes or console.input.isatty()):
        parsed.refuse("to drop that many for good without being asked needs --yes")


def _selected(
    parsed: argparse.Namespace, dead_letters: DeadLetters, console: Console
) -> Sequence[str] | None:
    """Return the ids of all, or of those of the named cause; None if there is no such cause."""
    if parsed.all:
        ids = dead_letters.select()
        console.note(f"{len(ids):,} dead letters there are")
        return ids
    known = [cause for cause, _ in dead_letters.causes()]
    causes = [cause for cause in known if cause.matches(parsed.cause)]
    if not causes:
        names = sorted({str(cause.kind) for cause in known}) + [cause.id for cause in known]
        listed = ", ".join(names[:_MOST_NAMED]) or "none"
        console.note(f"limbo: no dead letter has the cause {parsed.cause!r}; there are: {listed}")
        return None
    ids = dead_letters.select(causes)
    plural = "cause" if len(causes) == 1 else "causes"
    match = "dead letter matches" if len(ids) == 1 else "dead letters match"
    console.note(f"{len(ids):,} {match}, of {len(causes)} {plural}")
    return ids


def _confirmed(count: int, console: Console) -> bool:
    console.err.write(f"Delete {count:,} dead letters for good? [y/N] ")
    console.err.flush()
    return console.input.readline().strip().lower() in ("y", "yes")


def _settle(
    parsed: argparse.Namespace, dead_letters: DeadLetters, console: Console, ids: Sequence[str]
) -> int:
    progress = _Progress(console, parsed.action, len(ids))
    call = dead_letters.redrive if parsed.action == "redrive" else dead_letters.drop
    problem = None
    try:
        count = call(ids, progress.add)
    except (LimboError, KeyboardInterrupt) as error:
        count, problem = len(progress.settled), str(error) or "interrupted"
    progress.clear()
    left = [id_ for id_ in ids if id_ not in progress.settled]
    _report(parsed, console, count, left, problem)
    return 1 if left or problem else 0


def _report(
    parsed: argparse.Namespace,
    console: Console,
    count: int,
    left: Sequence[str],
    problem: str | None,
) -> None:
    done = _DONE[parsed.action]
    if parsed.json:
        key = "not_found" if problem is None else "not_done"
        console.print_json({done: count, key: left, "error": problem})
    else:
        console.print(f"{count:,} dead {'letter' if count == 1 else 'letters'} {done}")
    if problem is not None:
        console.note(f"limbo: {problem}; {len(left):,} not {done}")
    elif left:
        more = f" and {len(left) - _MOST_NAMED:,} more" if len(left) > _MOST_NAMED else ""
        console.note(f"limbo: not found: {' '.join(left[:_MOST_NAMED])}{more}")
