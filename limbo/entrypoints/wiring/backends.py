"""The backends that limbo knows, one record each: the only place that asks for their kind.

A record is light: what a backend is built of is a container in ``parts/``, loaded when used.
"""

import re
from dataclasses import dataclass, field

from limbo.entrypoints.http.resources.submission.gather import GatherLimits
from limbo.entrypoints.settings.backend import BackendRules
from limbo.entrypoints.settings.parsers import sqs_queue
from limbo.entrypoints.settings.variables import DEAD_LETTER_QUEUE

# A mail among 32 costs a database little more than among 64, and the loop takes in the next ones
# meanwhile. A queue in memory does nothing that another thread could be beside.
_GATHER_FOR_DATABASE = GatherLimits(enough=32)
_PARTS = "limbo.entrypoints.wiring.parts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend(BackendRules):
    """A backend as it is built and used.

    ``parts`` is the path of what makes its container (see ``parts.base``). A worker waits up to
    ``poll_seconds`` for ``batch`` mails; an api gathers mails within the limits of ``gather``, or
    of ``gather_behind_ledger`` where a ledger apart is written first.
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
        holds_ledger=True,
        holds_api_keys=True,
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
        poll_seconds=10.0,  # Each poll costs money, and a stop waits for the one under way.
        batch=10,
        gather=GatherLimits(batch=10, calls=8),  # It takes ten mails a call, and is far away.
    ),
)
