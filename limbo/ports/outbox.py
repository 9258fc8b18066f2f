"""The port of a submission: one step, whatever has to be written for it."""

from collections.abc import Sequence
from typing import Protocol

from limbo.domain.mail import Mail
from limbo.ports.queue import Kept, NotKept


class Outbox(Protocol):
    """Where submitted mails go; what is kept here will be sent, or dead with a reason."""

    def submit(self, mails: Sequence[Mail]) -> list[Kept | NotKept]:
        """Keep the mails durably, and say of each, in order, whether it is kept; never raises."""
        ...
