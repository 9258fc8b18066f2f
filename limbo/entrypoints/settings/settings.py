"""The settings: read from the environment once, checked, and frozen."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from limbo.domain.errors import SettingsError
from limbo.entrypoints.settings.environment import Environment, Reading
from limbo.entrypoints.settings.parsers import (
    boolean,
    days,
    delays,
    seconds,
    sqs_queue,
    text,
    whole,
)
from limbo.entrypoints.settings.variables import (
    ALLOW_ANONYMOUS,
    API_KEYS_FILE,
    BREAKER_OPEN_MAX_SECONDS,
    BREAKER_OPEN_SECONDS,
    CONCURRENCY,
    DEAD_LETTER_QUEUE,
    HOST,
    KEEP_BODIES_DAYS,
    KEEP_LEDGER_DAYS,
    LEASE_SECONDS,
    LEDGER,
    MAX_TOUCHES,
    PORT,
    PREFIX,
    QUEUE,
    REGION,
    RETRY_DELAYS,
    SEND_TIMEOUT_SECONDS,
    SENDER_VARIABLES,
    SENDERS,
    SHUTDOWN_SECONDS,
    TELLING_VARIABLES,
    VARIABLES,
    WORKER_PORT,
    Variable,
)

DEV_SENDERS = "fake.a,fake.b"
_SENDER_NAME = re.compile(r"([a-z]+)(?:\.([a-z0-9]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """One sender: ``values`` holds what its variables say, by the last part of their names."""

    kind: str
    name: str
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that limbo can be told; times are in seconds."""

    queue: str = field(repr=False)
    queue_kind: str
    dead_letter_queue: str | None
    ledger: str = field(repr=False)
    ledger_kind: str
    keep_bodies_days: float
    keep_ledger_days: float
    api_keys_file: str | None
    region: str | None
    senders: tuple[SenderSettings, ...]
    host: str
    port: int
    worker_port: int
    allow_anonymous: bool
    concurrency: int
    send_timeout: float
    max_touches: int
    retry_delays: tuple[float, ...]
    lease: float
    breaker_open: float
    breaker_open_max: float
    shutdown: float
    readings: Sequence[Reading] = field(repr=False)

    @property
    def api_keys_kind(self) -> str:
        """Where API keys are: in a file, in the ledger's database, or nowhere (none)."""
        if self.api_keys_file is not None:
            return "file"
        return "none" if self.ledger_kind in {"none", "memory"} else "database"

    @property
    def deduplicates(self) -> bool:
        """False where nothing recognises an Idempotency-Key: only FIFO queues drop repeats."""
        return self.ledger_kind != "none" or (
            self.queue_kind == "sqs" and self.queue.endswith(".fifo")
        )

    @property
    def only_fakes(self) -> bool:
        """True when no mail can leave this machine."""
        return bool(self.senders) and all(s.kind == "fake" for s in self.senders)


def load(environ: Mapping[str, str], *, dev: bool = False) -> Settings:
    """Read the settings; ``dev`` makes memory and two fakes the defaults of queue and senders.

    Raises SettingsError with one line that names the variable and says what it should be.
    """
    env = Environment(environ)
    queue = env.need(_with_default(QUEUE, "memory:" if dev else None), _queue)
    kind = _queue_kind(queue)
    ledger = env.need(_with_default(LEDGER, "none" if kind == "sqs" else queue), _ledger)
    senders = _senders(env, DEV_SENDERS if dev else None)
    settings = Settings(
        queue=queue,
        queue_kind=kind,
        dead_letter_queue=env.read(DEAD_LETTER_QUEUE, sqs_queue),
        ledger=ledger,
        ledger_kind=_ledger_kind(ledger, queue),
        keep_bodies_days=env.need(KEEP_BODIES_DAYS, days),
        keep_ledger_days=env.need(KEEP_LEDGER_DAYS, days),
        api_keys_file=env.read(API_KEYS_FILE, text),
        region=env.read(REGION, text),
        senders=senders,
        host=env.need(HOST, text),
        port=env.need(PORT, whole(0, 65535)),
        worker_port=env.need(WORKER_PORT, whole(0, 65535)),
        allow_anonymous=env.need(ALLOW_ANONYMOUS, boolean),
        concurrency=env.need(CONCURRENCY, whole(1, 1000)),
        send_timeout=env.need(SEND_TIMEOUT_SECONDS, seconds(0.1, 120)),
        max_touches=env.need(MAX_TOUCHES, whole(1, 100)),
        retry_delays=env.need(RETRY_DELAYS, delays),
        lease=env.need(LEASE_SECONDS, seconds(1, 900)),
        breaker_open=env.need(BREAKER_OPEN_SECONDS, seconds(0.1, 3600)),
        breaker_open_max=env.need(BREAKER_OPEN_MAX_SECONDS, seconds(0.1, 3600)),
        shutdown=env.need(SHUTDOWN_SECONDS, seconds(0, 3600)),
        readings=env.readings,
    )
    env.refuse_unknown(_known_names(senders))
    if kind == "sqs" and settings.dead_letter_queue is None:
        msg = f"{DEAD_LETTER_QUEUE.name} must name the dead-letter queue beside an SQS queue"
        raise SettingsError(msg)
    return settings


_WITHOUT_COLON = {"memory", "sqlite", "postgresql", "postgres"}  # hardly the name of a queue on SQS


def _queue_kind(queue: str) -> str:
    if queue in _WITHOUT_COLON:
        raise ValueError(queue)
    if queue == "memory:":
        return "memory"
    if queue.startswith("sqlite:///") and len(queue) > len("sqlite:///"):
        return "sqlite"
    if queue.startswith(("postgresql://", "postgres://")):
        return "postgresql"
    sqs_queue(queue)
    return "sqs"


def _queue(queue: str) -> str:
    try:
        _queue_kind(queue)
    except ValueError:
        raise ValueError(QUEUE.meaning.replace("`", "")) from None
    return queue


def _ledger_kind(ledger: str, queue: str) -> str:
    if ledger == "none":
        return "none"
    kind = _queue_kind(ledger)
    return "shared" if ledger == queue and kind != "memory" else kind


def _ledger(ledger: str) -> str:
    try:
        known = ledger == "none" or _queue_kind(ledger) != "sqs"
    except ValueError:
        known = False
    if not known:
        raise ValueError("sqlite:///limbo.db, postgresql://… or none")
    return ledger


def _sender_names(value: str) -> list[tuple[str, str]]:
    names = []
    for item in value.split(","):
        found = _SENDER_NAME.fullmatch(item.strip())
        if found is None or found[1] not in SENDER_VARIABLES:
            raise ValueError(f"a list of {', '.join(SENDER_VARIABLES)}, each perhaps with a .label")
        names.append((found[1], found[2] or ""))
    if len(set(names)) < len(names):
        raise ValueError("a list without repeats; label several of a kind: fake.a,fake.b")
    return names


def _senders(env: Environment, default: str | None) -> tuple[SenderSettings, ...]:
    names = env.read(_with_default(SENDERS, default), _sender_names)
    if names is None:
        names = [(kind, "") for kind, telling in TELLING_VARIABLES.items() if env.has(telling)]
    return tuple(_sender(env, kind, label) for kind, label in names)


def _sender(env: Environment, kind: str, label: str) -> SenderSettings:
    name = f"{kind}.{label}" if label else kind
    values = {}
    for general in SENDER_VARIABLES[kind]:
        variable = general.labelled(kind, label) if label else general
        value = env.read(variable, general.parse, fallback=general if label else None)
        if value is not None:
            values[general.name.removeprefix(f"{PREFIX}{kind.upper()}_").lower()] = value
        elif general.required:
            raise SettingsError(f"{variable.name} must be set for {name}: {general.meaning}")
    return SenderSettings(kind=kind, name=name, values=values)


def _known_names(senders: Sequence[SenderSettings]) -> set[str]:
    names = {variable.name for variable in VARIABLES}
    for sender in senders:
        kind, _, label = sender.name.partition(".")
        if label:
            names |= {v.labelled(kind, label).name for v in SENDER_VARIABLES[kind]}
    return names


def _with_default(variable: Variable, default: str | None) -> Variable:
    if default is None:
        return variable
    return replace(variable, default=default)
