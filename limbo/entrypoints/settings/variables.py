"""The variables of the environment that limbo itself reads: their names, meanings and defaults.

``catalogue`` fills the braces in a meaning from the backends and the kinds of senders.
"""

from dataclasses import dataclass

PREFIX = "LIMBO_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One setting; ``original`` is its name in the first limbo, which still works."""

    name: str
    meaning: str
    default: str | None = None
    original: str | None = None
    secret: bool = False


QUEUE = Variable(
    name="LIMBO_QUEUE",
    original="QUEUE",
    default="sqlite:///limbo.db",
    meaning="{queues}",
)
DEAD_LETTER_QUEUE = Variable(
    name="LIMBO_DEAD_LETTER_QUEUE",
    original="DEADLETTERQUEUE",
    meaning="the SQS dead-letter queue's name or URL; needed with an SQS queue",
)
LEDGER = Variable(
    name="LIMBO_LEDGER",
    meaning="where the fate of each mail is kept: {ledgers} or `none`;"
    " by default the queue's own database, `none` on {without_ledger}",
)
KEEP_BODIES_DAYS = Variable(
    name="LIMBO_KEEP_BODIES_DAYS", default="7", meaning="how long the ledger keeps a mail's content"
)
KEEP_LEDGER_DAYS = Variable(
    name="LIMBO_KEEP_LEDGER_DAYS",
    default="90",
    meaning="how long the ledger keeps what became of a mail",
)
KEEP_DEAD_LETTERS_DAYS = Variable(
    name="LIMBO_KEEP_DEAD_LETTERS_DAYS",
    default="90",
    meaning="how long a dead letter is kept; on SQS, its `MessageRetentionPeriod` says so",
)
KEEP_AUDIT_DAYS = Variable(
    name="LIMBO_KEEP_AUDIT_DAYS",
    default="365",
    meaning="how long the audit keeps what admins did",
)
API_KEYS_FILE = Variable(
    name="LIMBO_API_KEYS_FILE",
    meaning="a file of API keys (hashes), for a limbo without a database",
)
REGION = Variable(
    name="LIMBO_REGION",
    original="REGION",
    meaning="AWS region; without it, what the AWS SDK finds (`AWS_REGION`, profile)",
)
BODY_KEYS = Variable(
    name="LIMBO_BODY_KEYS",
    secret=True,
    meaning="keys that encrypt mails at rest: `id:base64` of 32 bytes, comma-separated; the first"
    ' one encrypts, all decrypt; see "Personal data"',
)
HASH_SECRET = Variable(
    name="LIMBO_HASH_SECRET",
    secret=True,
    meaning="the secret under which logs hash addresses, 16 characters or more; by default one that"
    " limbo makes and keeps in its database, or one for each process without a database",
)
SENDERS = Variable(
    name="LIMBO_SENDERS",
    meaning="{senders}, comma-separated; several of a kind as `fake.a,fake.b`;"
    " by default those whose settings are there",
)
HOST = Variable(
    name="LIMBO_HOST",
    default="127.0.0.1",
    meaning="the address to listen on; `0.0.0.0` in a container",
)
PORT = Variable(name="LIMBO_PORT", original="PORT", default="8000", meaning="the api's port")
WORKER_PORT = Variable(
    name="LIMBO_WORKER_PORT", default="9100", meaning="the port of the worker's own `/metrics`"
)
METRICS_PORT = Variable(
    name="LIMBO_METRICS_PORT",
    meaning="a port of its own for the api's `/metrics`, which is then not on `LIMBO_PORT`",
)
ALLOWED_HOSTS = Variable(
    name="LIMBO_ALLOWED_HOSTS",
    meaning="the names, comma-separated, under which a proxy in front of limbo is reached; without"
    " them an api on loopback answers for `localhost`, `127.0.0.1` and `[::1]` alone",
)
CONCURRENCY = Variable(
    name="LIMBO_CONCURRENCY", default="64", meaning="mails in flight in one worker, 1 to 1000"
)
MAX_TOUCHES = Variable(
    name="LIMBO_MAX_TOUCHES", default="3", meaning="failed touches until a mail is dead"
)
RETRY_DELAYS = Variable(
    name="LIMBO_RETRY_DELAYS",
    default="30,300",
    meaning="seconds between touches, each × 0.5 to 1 at random; the last repeats",
)
LEASE_SECONDS = Variable(
    name="LIMBO_LEASE_SECONDS",
    default="60",
    meaning="how long a mail is a worker's own; extended every third of it while a send runs;"
    " at least 20 on SQS, whose leases begin with the poll",
)
BREAKER_OPEN_SECONDS = Variable(
    name="LIMBO_BREAKER_OPEN_SECONDS",
    default="30",
    meaning="the first pause of a provider that fails; it doubles with every failed probe",
)
BREAKER_OPEN_MAX_SECONDS = Variable(
    name="LIMBO_BREAKER_OPEN_MAX_SECONDS",
    default="300",
    meaning="the longest such pause, and the pause after a fault of our account",
)
SHUTDOWN_SECONDS = Variable(
    name="LIMBO_SHUTDOWN_SECONDS",
    default="25",
    meaning="how long a stopping process finishes what it has started",
)
SEND_TIMEOUT_SECONDS = Variable(
    name="LIMBO_SEND_TIMEOUT_SECONDS",
    default="10",
    meaning="how long a provider may take to answer",
)
ALLOW_ANONYMOUS = Variable(
    name="LIMBO_ALLOW_ANONYMOUS",
    default="false",
    meaning="what anybody who reaches the api may do without a key: `false` nothing, `true` send,"
    " `send,read` also read what others without a key have sent",
)
TRUSTED_PROXIES = Variable(
    name="LIMBO_TRUSTED_PROXIES",
    meaning="the networks of the proxies in front of the api, comma-separated: their"
    " `X-Forwarded-For` says where a request is from",
)
VARIABLES = (
    QUEUE,
    DEAD_LETTER_QUEUE,
    REGION,
    LEDGER,
    KEEP_BODIES_DAYS,
    KEEP_LEDGER_DAYS,
    KEEP_DEAD_LETTERS_DAYS,
    KEEP_AUDIT_DAYS,
    API_KEYS_FILE,
    BODY_KEYS,
    HASH_SECRET,
    SENDERS,
    HOST,
    PORT,
    WORKER_PORT,
    METRICS_PORT,
    ALLOWED_HOSTS,
    ALLOW_ANONYMOUS,
    TRUSTED_PROXIES,
    CONCURRENCY,
    SEND_TIMEOUT_SECONDS,
    MAX_TOUCHES,
    RETRY_DELAYS,
    LEASE_SECONDS,
    BREAKER_OPEN_SECONDS,
    BREAKER_OPEN_MAX_SECONDS,
    SHUTDOWN_SECONDS,
)
