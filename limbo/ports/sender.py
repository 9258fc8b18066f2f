"""The port to a provider."""

from typing import Protocol

from limbo.domain.delivery.verdict import Verdict
from limbo.domain.mail.mail import Mail


class Sender(Protocol):
    """A provider that may take a mail."""

    @property
    def name(self) -> str:
        """The name in settings, logs and metrics: ``ses``, ``fake.a``."""
        ...

    def send(self, mail: Mail) -> Verdict:
        """Hand the mail over once, without retries, and return the result.

        Many threads call this at once. Everything that the provider or the network does becomes a
        verdict, never an exception.
        """
        ...

    def check(self) -> str | None:
        """Return what keeps the provider from taking mails, or None. It asks, but sends nothing."""
        ...
