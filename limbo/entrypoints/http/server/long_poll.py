"""Holds requests until the status of their mails is final."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping

from starlette.types import Receive

from limbo.domain.delivery.lifecycle import Status
from limbo.entrypoints.http.server.body import ClientGone

AskStatuses = Callable[[Collection[str]], Awaitable[Mapping[str, Status]]]
"""Returns the statuses of those mails, by their ids; an unknown one is left out."""
CheckAgain = Callable[[], object]
"""Raises what the request is to be refused with, once its client may not make it any more."""
_CHECK_SECONDS = 2.0

_End = asyncio.Future[Exception | None]


class LongPolls:
    """Holds up to ``most`` requests at a time, and up to ``each`` of one client.

    Every ``pause`` seconds it asks once for the statuses of all the mails they wait for.
    """

    def __init__(
        self, ask: AskStatuses, *, most: int = 500, each: int = 50, pause: float = 0.2
    ) -> None:
        self._ask = ask
        self._most = most
        self._each = each
        self._pause = pause
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, set[_End]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._is_stopping = False

    def stop(self) -> None:
        """End all waits, and hold nothing more: the server is about to stop."""
        self._is_stopping = True
        for mail_id in [*self._waiting]:
            self._end(mail_id, None)

    async def hold(
        self,
        mail_id: str,
        client: str,
        receive: Receive,
        seconds: float,
        check_again: CheckAgain = lambda: None,
    ) -> bool:
        """Wait until the mail's status is final or unknown, for at most ``seconds``.

        Returns False at once if there is no place to wait. Raises ClientGone when the client goes
        away, what ``check_again`` raises, which is asked every two seconds, and what the question
        for the statuses raises.
        """
        if self._is_stopping or self._held.total() >= self._most:
            return False
        if self._held[client] >= self._each:
            return False
        end: _End = asyncio.get_running_loop().create_future()
        self._held[client] += 1
        self._waiting.setdefault(mail_id, set()).add(end)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_again())
        gone = asyncio.ensure_future(_disconnect(receive))
        try:
            await _wait(end, gone, seconds, check_again)
        finally:
            gone.cancel()
            self._leave(mail_id, client, end)
        return True

    def _leave(self, mail_id: str, client: str, end: _End) -> None:
        self._held -= Counter([client])
        ends = self._waiting.get(mail_id, set())
        ends.discard(end)
        if not ends:
            self._waiting.pop(mail_id, None)

    def _end(self, mail_id: str, error: Exception | None) -> None:
        for end in self._waiting.pop(mail_id, ()):
            if not end.done():
                end.set_result(error)

    async def _ask_again(self) -> None:
        """Ask until nobody waits any more."""
        while True:
            await asyncio.sleep(self._pause)
            if not self._waiting:
                self._asking = None
                return
            ids = [*self._waiting]
            try:
                statuses = await self._ask(ids)
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                for mail_id in ids:
                    self._end(mail_id, error)
                continue
            for mail_id in ids:
                status = statuses.get(mail_id)
                if status is None or status.is_final:
                    self._end(mail_id, None)


async def _wait(
    end: _End, gone: "asyncio.Task[None]", seconds: float, check_again: CheckAgain
) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not end.done() and (left := until - loop.time()) > 0:
        pause = min(left, _CHECK_SECONDS)
        await asyncio.wait((end, gone), timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise ClientGone
        check_again()
    if end.done() and (error := end.result()) is not None:
        raise error


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
