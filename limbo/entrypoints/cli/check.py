"""``limbo check`` and ``limbo health``: what is set, and whether each part answers."""

from collections.abc import Callable, Mapping

from limbo.domain.errors import LimboError
from limbo.entrypoints.settings.settings import Settings, load
from limbo.entrypoints.wiring.container import Container
from limbo.ports.api_keys import ApiKeys  # noqa: TC001 - beside what is imported at run time
from limbo.ports.ledger_reader import LedgerReader, Query


def check(environ: Mapping[str, str]) -> int:
    """Print the settings and try each part; return 0 if all answer, else 1."""
    settings = load(environ)
    _print_settings(settings)
    container = Container(settings=settings)
    results = [_try("queue", lambda: _queue(container))]
    if settings.ledger_kind != "none":
        results.append(_try("ledger", lambda: _ledger(container)))
    if settings.api_keys_kind != "none":
        results.append(_try("keys", lambda: _keys(container)))
    try:
        senders = container.senders()
    except LimboError as error:
        results.append(_tell("senders", str(error)))
    else:
        results += [_try(sender.name, sender.check) for sender in senders]
    return 0 if all(results) else 1


def _print_settings(settings: Settings) -> None:
    readings = settings.readings
    widths = (max(len(r.name) for r in readings), max(len(r.shown) for r in readings))
    for reading in readings:
        line = f"{reading.name:{widths[0]}}  {reading.shown:{widths[1]}}  {reading.source}"
        print(line.rstrip())  # noqa: T201
    print()  # noqa: T201


def _queue(container: Container) -> str | None:
    depth = container.queue().depth()
    waiting = depth.ready + depth.deferred
    print(f"queue: {waiting} waiting, {depth.in_flight} in flight, {sum(depth.dead.values())} dead")  # noqa: T201
    return None


def _ledger(container: Container) -> str | None:
    ledger_reader: LedgerReader | None = container.ledger_reader()
    if ledger_reader is not None:
        ledger_reader.page(Query(client=None, limit=1))
    return None


def _keys(container: Container) -> str | None:
    keys: ApiKeys | None = container.keys()
    if keys is not None:
        active = sum(key.revoked_at is None for key in keys.list())
        print(f"keys: {active} active")  # noqa: T201
    return None


def _try(part: str, probe: Callable[[], str | None]) -> bool:
    try:
        return _tell(part, probe())
    except LimboError as error:
        return _tell(part, str(error))


def _tell(part: str, problem: str | None) -> bool:
    print(f"{part}: {'ok' if problem is None else problem}")  # noqa: T201
    return problem is None
