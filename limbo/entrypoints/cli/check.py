"""``limbo check``: the settings in force, and whether each part answers."""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from limbo.domain.access.api_key import KeyScope, KeyState
from limbo.domain.errors import LimboError
from limbo.entrypoints.cli.breakers import breakers_of
from limbo.entrypoints.cli.command import Call, Command
from limbo.entrypoints.cli.parts import opened_container, refuse_unshared

if TYPE_CHECKING:
    from limbo.entrypoints.settings.environment import Reading
    from limbo.entrypoints.settings.settings import Settings
    from limbo.entrypoints.wiring.container import Container
    from limbo.ports.api_keys import ApiKeys
    from limbo.ports.ledger_reader import LedgerReader

_DESCRIPTION = """\
Prints the settings in force, those of the chosen senders among them, each with its value and
where it is from (secrets masked). Then tries the queue, the ledger, the API keys and each sender,
without sending a mail, and asks whether `limbo api` and `limbo worker` would start with them (or
the one that is named). It makes nothing, and writes one row of its own, to see whether mails could
be kept. Exits with 0 if all of that is so.

Breakers are a worker's own: those of the worker on LIMBO_WORKER_PORT are shown, if one answers."""
_ROLES = ("api", "worker")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """The result of trying one part: its problem, what was counted in it, or what it allows."""

    part: str
    problem: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    allowed: Sequence[str] | None = None
    file: str | None = None
    note: str | None = None

    def lines(self) -> Iterator[str]:
        """Yield the lines for a person."""
        if self.file is not None:
            yield f"{self.part}: in {self.file}"
        if self.counts:
            counted = (f"{count} {name.replace('_', ' ')}" for name, count in self.counts.items())
            yield f"{self.part}: {', '.join(counted)}"
        if self.allowed is not None:
            yield f"{self.part}: {', '.join(self.allowed) or 'none'}"
            return
        yield f"{self.part}: {self.problem or self.note or 'ok'}"

    def document(self) -> dict[str, object]:
        """Return the JSON for a program."""
        document: dict[str, object] = {
            "part": self.part,
            "ok": self.problem is None,
            "problem": self.problem,
        }
        if self.allowed is not None:
            document["allowed"] = [*self.allowed]
        more = {"file": self.file, "note": self.note, "counts": self.counts}
        return document | {name: value for name, value in more.items() if value}


def _run(call: Call) -> int:
    """Show the settings and try each part; return 0 if all parts answer, else 1."""
    with opened_container(call.environ) as container:
        settings: Settings = container.settings()
        role: str | None = call.arguments.role
        roles = _ROLES if role is None else (role,)
        results = chain(_try_parts(settings, container), _try_roles(roles, container))
        print_ = _print_json if call.arguments.json else _print_text
        return 0 if print_(call, settings, results) else 1


def _print_json(call: Call, settings: "Settings", results: Iterator[_Result]) -> bool:
    tried = list(results)
    call.console.print_json(
        {
            "data": [result.document() for result in tried],
            "has_more": False,
            "settings": {each.name: _setting_document(each) for each in settings.readings},
        }
    )
    return all(result.problem is None for result in tried)


def _setting_document(reading: "Reading") -> dict[str, str | None]:
    is_set = reading.source != "not set"
    return {"value": reading.shown if is_set else None, "source": reading.source}


def _print_text(call: Call, settings: "Settings", results: Iterator[_Result]) -> bool:
    rows = [(reading.name, reading.shown, reading.source) for reading in settings.readings]
    call.console.print_table(rows, cut=1)
    call.console.print("")
    all_answer = True
    for result in results:
        for line in result.lines():
            call.console.print(line)
        all_answer = all_answer and result.problem is None
    return all_answer


def _try_parts(settings: "Settings", container: "Container") -> Iterator[_Result]:
    files = settings.files
    yield _try("queue", lambda: _count_queue(container), files.get("queue_file"))
    if settings.ledger_kind != "none":
        yield _try("ledger", lambda: _read_ledger(container), files.get("ledger_file"))
    if settings.api_keys_kind != "none":
        yield _try("keys", lambda: _count_api_keys(container))
    yield _Result(part="anonymous access", allowed=_allowed(settings))
    try:
        senders = container.senders()
    except LimboError as error:
        yield _Result(part="senders", problem=str(error))
    else:
        for sender in senders:
            yield _Result(part=sender.name, problem=sender.check())


def _try_roles(roles: Iterable[str], container: "Container") -> Iterator[_Result]:
    """Say for each role whether it would refuse to start, and what a worker's breakers are."""
    for role in roles:
        yield _try(role, partial(_would_start, role, container))
    if "worker" in roles:
        settings = container.settings()
        yield _Result(part="breakers", note=breakers_of(settings.host, settings.worker_port))


def _would_start(role: str, container: "Container") -> Mapping[str, int]:
    """Raise what `limbo api` or `limbo worker` would raise."""
    from limbo.entrypoints.cli.access import access_for

    refuse_unshared(container.settings(), role)
    if role == "api":
        access_for(container)
    else:
        container.senders()
    return {}


def _try(part: str, count: Callable[[], Mapping[str, int]], file: str | None = None) -> _Result:
    try:
        return _Result(part=part, counts=count(), file=file)
    except LimboError as error:
        return _Result(part=part, problem=str(error), file=file)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "role", nargs="?", choices=_ROLES, help="what is to be started; both if left out"
    )


def _count_queue(container: "Container") -> Mapping[str, int]:
    container.queue().check_put()
    depth = container.queue().depth()
    return {
        "waiting": depth.ready + depth.deferred,
        "in_flight": depth.in_flight,
        "dead": sum(depth.dead.values()),
    }


def _read_ledger(container: "Container") -> Mapping[str, int]:
    from limbo.ports.ledger_reader import Query

    ledger_reader: LedgerReader = container.ledger_reader()
    ledger_reader.page(Query(client=None, limit=1))
    container.reservations().check_put()
    return {}


def _count_api_keys(container: "Container") -> Mapping[str, int]:
    api_keys: ApiKeys = container.api_keys()
    now = time.time()
    return {"active": sum(key.state(now) is KeyState.IN_FORCE for key in api_keys.list())}


def _allowed(settings: "Settings") -> Sequence[str]:
    return [scope.value for scope in KeyScope if scope in settings.allow_anonymous]


COMMAND = Command(
    name="check",
    summary="show the settings in force and try each part",
    description=_DESCRIPTION,
    run=_run,
    add_arguments=_arguments,
    prints_json=True,
)
