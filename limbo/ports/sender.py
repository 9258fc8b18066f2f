"""The port to a provider."""

from typing import Protocol

from limbo.domain.delivery.verdict import Verdict
from limbo.domain.mail.mail import Mail


class Sender(Protocol):
    """A provider that may take a mail."""

    @property
    def name(self) -> str:
        """The name that settings, logs and metrics know it by: ``ses``, ``fake.a``."""
        ...

    def send(self, mail: Mail) -> Verdict:
        """Hand the mail over once, without a retry of its own, and say what became of it.

        Called from many threads at once. Whatever the provider or the network does is a verdict,
        never an exception.
        """
        ...

    def check(self) -> str | None:
        """Say what keeps this provider from taking mails, or None; asks it, but sends nothing."""
        ...
