"""The ledger of a limbo that keeps no records."""

from collections.abc import Sequence

from limbo.domain.delivery.lifecycle import End, Start, StartReply


class NoLedger:
    """A Ledger that knows no mail and stops none."""

    def write(self, events: Sequence[Start | End]) -> list[StartReply | None]:
        """Ignore the events."""
        return [StartReply() if isinstance(event, Start) else None for event in events]

    def purge(self, *, bodies_before: float, records_before: float, limit: int) -> int:  # noqa: ARG002
        """Return 0: there is nothing to delete."""
        return 0
