"""Whether a submission can be kept where queue and ledger lie in different places."""

from limbo.ports.queue import Readiness


class AllReady:
    """A Readiness of several parts, asked one after the other."""

    def __init__(self, *parts: Readiness) -> None:
        self._parts = parts

    def check_put(self) -> None:
        """Ask each part. Raises what the first one raises that is not ready."""
        for part in self._parts:
            part.check_put()
