import pytest

from limbo.adapters.outbox.all_ready import AllReady
from limbo.domain.errors import LedgerUnavailable, LimboError, QueueUnavailable


class Part:
    def __init__(self, error: LimboError | None = None) -> None:
        self._error = error

    def check_put(self) -> None:
        if self._error is not None:
            raise self._error


def test_all_are_ready_if_each_is():
    AllReady(Part(), Part()).check_put()


@pytest.mark.parametrize("error", [QueueUnavailable("no"), LedgerUnavailable("no")])
def test_all_are_not_ready_if_one_is_not(error):
    with pytest.raises(type(error)):
        AllReady(Part(), Part(error)).check_put()
