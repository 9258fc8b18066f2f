from collections.abc import Callable

import pytest

from limbo.adapters.memory.ledger import MemoryLedger
from tests.contracts.ledger import LedgerContract, LedgerRig
from tests.support.clock import Clock


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def new_rig(self) -> Callable[[], LedgerRig]:
        def new() -> LedgerRig:
            clock = Clock()
            ledger = MemoryLedger(now=clock.now)
            return LedgerRig(
                ledger=ledger,
                ledger_reader=ledger,
                reservations=ledger,
                now=clock.now,
                elapse=clock.elapse,
            )

        return new
