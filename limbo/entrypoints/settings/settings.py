"""The settings: read from the environment once, checked, and frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from limbo.domain.access.api_key import KeyScope
from limbo.domain.access.networks import NO_NETWORKS, Networks
from limbo.domain.errors import SettingsError
from limbo.entrypoints.settings.access import anonymous_scopes, networks
from limbo.entrypoints.settings.backend import NO_LEDGER, BackendRules, ledger_parser, queue_parser
from limbo.entrypoints.settings.catalogue import every_variable
from limbo.entrypoints.settings.environment import Environment, Reading
from limbo.entrypoints.settings.listening import read_listening
from limbo.entrypoints.settings.parsers import (
    body_keys,
    days,
    delays,
    hosts,
    seconds,
    secret,
    sqs_queue,
    text,
    whole,
)
from limbo.entrypoints.settings.senders import SenderSettings, read_senders
from limbo.entrypoints.settings.variables import (
    ALLOW_ANONYMOUS,
    ALLOWED_HOSTS,
    API_KEYS_FILE,
    BODY_KEYS,
    BREAKER_OPEN_MAX_SECONDS,
    BREAKER_OPEN_SECONDS,
    CONCURRENCY,
    DEAD_LETTER_QUEUE,
    HASH_SECRET,
    KEEP_AUDIT_DAYS,
    KEEP_BODIES_DAYS,
    KEEP_DEAD_LETTERS_DAYS,
    KEEP_LEDGER_DAYS,
    LEASE_SECONDS,
    LEDGER,
    MAX_TOUCHES,
    METRICS_PORT,
    QUEUE,
    REGION,
    RETRY_DELAYS,
    SEND_TIMEOUT_SECONDS,
    SHUTDOWN_SECONDS,
    TRUSTED_PROXIES,
)
from limbo.ports.sender_kind import SenderKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a process; times are in seconds."""

    queue: str = field(repr=False)
    queue_backend: BackendRules
    dead_letter_queue: str | None
    ledger: str = field(repr=False)
    ledger_backend: BackendRules | None
    keep_bodies_days: float
    keep_ledger_days: float
    keep_dead_letters_days: float
    keep_audit_days: float
    api_keys_file: str | None
    body_keys: Mapping[str, bytes] = field(repr=False)
    hash_secret: bytes | None = field(repr=False)
    region: str | None
    senders: tuple[SenderSettings, ...]
    host: str
    port: int
    worker_port: int
    metrics_port: int | None
    allowed_hosts: tuple[str, ...]
    allow_anonymous: frozenset[KeyScope]
    trusted_proxies: Networks
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
    def queue_kind(self) -> str:
        """The name of the queue's backend."""
        return self.queue_backend.name

    @property
    def files(self) -> Mapping[str, str]:
        """The full paths of the files that are queue and ledger, where they are files."""
        files = {"queue_file": self.queue_backend.file(self.queue)}
        if self.ledger_backend is not None and self.ledger_place == "apart":
            files["ledger_file"] = self.ledger_backend.file(self.ledger)
        return {name: file for name, file in files.items() if file is not None}

    @property
    def ledger_place(self) -> Literal["none", "shared", "apart"]:
        """Where the ledger is: nowhere, beside the queue, or in a place of its own."""
        if self.ledger_backend is None:
            return "none"
        return "shared" if self.ledger == self.queue else "apart"

    @property
    def ledger_kind(self) -> str:
        """The name of the ledger's backend, or ``none``, or ``shared`` if it is the queue's."""
        if self.ledger_backend is None or self.ledger_place == "shared":
            return self.ledger_place
        return self.ledger_backend.name

    @property
    def api_keys_kind(self) -> Literal["file", "database", "none"]:
        """Where API keys are: in a file, in the ledger's database, or nowhere."""
        if self.api_keys_file is not None:
            return "file"
        holds_api_keys = self.ledger_backend is not None and self.ledger_backend.holds_api_keys
        return "database" if holds_api_keys else "none"

    @property
    def address_hashes(self) -> Literal["setting", "ledger", "queue", "process"]:
        """Where the secret of hashed addresses is from: a database makes one, if there is any."""
        if self.hash_secret is not None:
            return "setting"
        if self.ledger_backend is not None and self.ledger_backend.holds_secrets:
            return "ledger"
        return "queue" if self.queue_backend.holds_secrets else "process"

    @property
    def deduplicates(self) -> bool:
        """Whether the ledger, or the queue itself, recognises an Idempotency-Key."""
        return self.ledger_backend is not None or self.queue_backend.deduplicates(self.queue)

    @property
    def only_fakes(self) -> bool:
        """Whether all senders are fakes, so that no mail can leave this machine."""
        return bool(self.senders) and all(sender.kind.is_fake for sender in self.senders)


def load(
    environ: Mapping[str, str],
    backends: Sequence[BackendRules],
    kinds: Sequence[SenderKind],
    defaults: Mapping[str, str],
) -> Settings:
    """Read the settings; ``defaults``, by name, take precedence over those of the variables.

    Raises SettingsError, with one line that names the variable and says what it must be.
    """
    env = Environment(environ, defaults)
    queue, queue_backend = env.need(QUEUE, queue_parser(backends))
    own_ledger = queue if queue_backend.holds_ledger else NO_LEDGER
    ledger, ledger_backend = env.need(replace(LEDGER, default=own_ledger), ledger_parser(backends))
    senders = read_senders(env, kinds)
    settings = Settings(
        queue=queue,
        queue_backend=queue_backend,
        dead_letter_queue=env.read(DEAD_LETTER_QUEUE, sqs_queue),
        ledger=ledger,
        ledger_backend=ledger_backend,
        keep_bodies_days=env.need(KEEP_BODIES_DAYS, days),
        keep_ledger_days=env.need(KEEP_LEDGER_DAYS, days),
        keep_dead_letters_days=env.need(KEEP_DEAD_LETTERS_DAYS, days),
        keep_audit_days=env.need(KEEP_AUDIT_DAYS, days),
        api_keys_file=env.read(API_KEYS_FILE, text),
        body_keys=env.read(BODY_KEYS, body_keys) or {},
        hash_secret=env.read(HASH_SECRET, secret),
        region=env.read(REGION, text),
        senders=senders,
        **asdict(read_listening(env)),
        metrics_port=env.read(METRICS_PORT, whole(0, 65535)),
        allowed_hosts=env.read(ALLOWED_HOSTS, hosts) or (),
        allow_anonymous=env.need(ALLOW_ANONYMOUS, anonymous_scopes),
        trusted_proxies=env.read(TRUSTED_PROXIES, networks) or NO_NETWORKS,
        concurrency=env.need(CONCURRENCY, whole(1, 1000)),
        send_timeout=env.need(SEND_TIMEOUT_SECONDS, seconds(0.1, 120)),
        max_touches=env.need(MAX_TOUCHES, whole(1, 100)),
        retry_delays=env.need(RETRY_DELAYS, delays),
        lease=env.need(LEASE_SECONDS, seconds(queue_backend.lease_min, 900)),
        breaker_open=env.need(BREAKER_OPEN_SECONDS, seconds(0.1, 3600)),
        breaker_open_max=env.need(BREAKER_OPEN_MAX_SECONDS, seconds(0.1, 3600)),
        shutdown=env.need(SHUTDOWN_SECONDS, seconds(0, 3600)),
        readings=env.readings,
    )
    known = {variable.name for variable in every_variable(backends, kinds)}
    env.refuse_unknown(known.union(*(sender.variables for sender in senders)))
    for variable, what in queue_backend.needs:
        if not env.has(variable):
            raise SettingsError(f"{variable.name} must {what}")
    return settings
