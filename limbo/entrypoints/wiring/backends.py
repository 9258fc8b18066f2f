"""The backends that limbo knows, one record each; no other file asks which kind a backend is.

A record is light: a container in ``parts/`` builds the backend, and is imported when it is used.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from limbo.entrypoints.http.resources.submission.gather import GatherLimits
from limbo.entrypoints.settings.backend import BackendRules
from limbo.entrypoints.settings.parsers import sqs_queue
from limbo.entrypoints.settings.variables import DEAD_LETTER_QUEUE

# In a batch of 32, a mail costs a database little more than in a larger one, and the event loop
# accepts the next mails in the meantime. A queue in memory waits for nothing, so it gains nothing.
_GATHER_FOR_DATABASE = GatherLimits(enough=32)
_PARTS = "limbo.entrypoints.wiring.parts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend(BackendRules):
    """A backend as it is built and used.

    ``parts`` is the path of its container (see ``parts.base``). A worker waits up to
    ``poll_seconds`` for up to ``batch`` mails. An api gathers mails within the limits of
    ``gather``, or of ``gather_behind_ledger`` if a ledger in another backend is written first.
    """

    parts: str
    poll_seconds: float = 1.0
    batch: int = 1
    gather: GatherLimits = field(default_factory=GatherLimits)
    gather_behind_ledger: GatherLimits = field(default_factory=GatherLimits)


def _is_sqs(url: str) -> bool:
    try:
        sqs_queue(url)
    except ValueError:
        return False
    return True


BACKENDS = (
    Backend(
        name="memory",
        form="`memory:`",
        schemes=("memory:",),
        matches=lambda url: url == "memory:",
        parts=f"{_PARTS}.memory:MemoryParts",
        shared=False,
        holds_ledger=True,
    ),
    Backend(
        name="sqlite",
        form="`sqlite:///limbo.db`",
        schemes=("sqlite:///",),
        matches=lambda url: re.match("sqlite:///.", url) is not None,
        parts=f"{_PARTS}.sqlite:SqliteParts",
        file=lambda url: str(Path(url.removeprefix("sqlite:///")).absolute()),
        holds_ledger=True,
        holds_api_keys=True,
        holds_secrets=True,
        gather=_GATHER_FOR_DATABASE,
        gather_behind_ledger=_GATHER_FOR_DATABASE,
    ),
    Backend(
        name="postgresql",
        form="`postgresql://…`",
        schemes=("postgresql://", "postgres://"),
        matches=lambda url: url.startswith(("postgresql://", "postgres://")),
        parts=f"{_PARTS}.postgresql:PostgresParts",
        holds_ledger=True,
        holds_api_keys=True,
        holds_secrets=True,
        gather=_GATHER_FOR_DATABASE,
        gather_behind_ledger=_GATHER_FOR_DATABASE,
    ),
    Backend(
        name="sqs",
        form="an SQS queue's name or URL",
        matches=_is_sqs,
        parts=f"{_PARTS}.sqs:SqsParts",
        deduplicates=lambda url: url.endswith(".fifo"),
        needs=((DEAD_LETTER_QUEUE, "name the dead-letter queue beside an SQS queue"),),
        lease_min=20.0,  # twice the poll: what is left of it must outlast the pause of the extender
        poll_seconds=10.0,  # Each poll costs money, and a stop must wait for it.
        batch=10,
        gather=GatherLimits(batch=10, calls=8),  # A call takes ten mails, and a round trip is long.
    ),
)
