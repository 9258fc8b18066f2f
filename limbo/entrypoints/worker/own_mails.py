"""The mails of this process: those it is sending, and those it knows it has sent."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

REMEMBERED = 10_000  # mails that were sent, and that the queue did not confirm as removed


class OwnMails:
    """Keeps this process from sending a mail twice, whatever the queue gives it; thread-safe.

    A queue gives a mail again when its clock is set forward, or when it was away for longer than a
    lease and could not be told.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_hand: set[str] = set()
        self._sent: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def turn(self, mail_id: str) -> Iterator[None]:
        """Yield when no other thread has this mail."""
        with self._changed:
            while mail_id in self._in_hand:
                self._changed.wait()
            self._in_hand.add(mail_id)
        try:
            yield
        finally:
            with self._changed:
                self._in_hand.discard(mail_id)
                self._changed.notify_all()

    def note_sent(self, mail_id: str) -> None:
        """Remember that a provider has accepted this mail."""
        with self._changed:
            self._sent[mail_id] = None
            if len(self._sent) > REMEMBERED:
                self._sent.popitem(last=False)

    def has_sent(self, mail_id: str) -> bool:
        """Tell whether this process has sent the mail, and the queue may still have it."""
        with self._changed:
            return mail_id in self._sent

    def note_removed(self, mail_id: str) -> None:
        """Forget a mail that the queue has removed."""
        with self._changed:
            self._sent.pop(mail_id, None)
