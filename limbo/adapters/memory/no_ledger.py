"""The ledger of a limbo that keeps none."""

from collections.abc import Sequence

from limbo.domain.delivery.lifecycle import End, Start, StartReply


class NoLedger:
    """A Ledger that knows no mail, and lets each go."""

    def write(self, events: Sequence[Start | End]) -> list[StartReply | None]:
        """Forget the events."""
        return [StartReply() if isinstance(event, Start) else None for event in events]

    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:  # noqa: ARG002
        """Have nothing to forget."""
        return 0
