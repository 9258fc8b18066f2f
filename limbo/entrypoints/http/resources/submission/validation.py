"""Makes a mail of a body: at once if that takes no time, else off the event loop."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from limbo.domain.errors import InvalidMail
from limbo.domain.mail.ids import mail_id
from limbo.domain.mail.mail import Mail, parse_mail
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import RETRY_AFTER, HttpRefusal
from limbo.entrypoints.http.server.strict_json import NotJson, parse_object
from limbo.entrypoints.http.server.turns import Turns

# What a body of this size, or so many addresses, cost the event loop: 6 ms at the worst, which is
# addresses with long domains that are not ASCII. A megabyte may cost 100 ms.
_SMALL_BYTES = 16_384
_MOST_ATS = 6
_CLIENTS = 10_000


class Validation:
    """Validates small mails on the event loop, and the others in one thread, client by client.

    With a second thread, the loop would wait for the interpreter's lock twice as long.
    """

    def __init__(self, *, now: Callable[[], float], seconds: float = 30.0) -> None:
        """``seconds`` is how long a mail waits for its turn, and for the end of it."""
        self._now = now
        self._seconds = seconds
        self._offload = Offload(threads=1, calls=_CLIENTS, seconds=seconds)
        self._turns = Turns()

    def at_once(self, body: bytes) -> Mail | None:
        """Return a small mail, None for one that is not small; raises HttpRefusal with 400."""
        # JSON has two ways to write an @.
        if len(body) > _SMALL_BYTES or body.count(b"@") + body.count(b"\\u0040") > _MOST_ATS:
            return None
        return self._validate(body)

    async def off_the_loop(self, body: bytes, client: str) -> Mail:
        """Return any mail; raises HttpRefusal with 400, or with 503 if its turn does not come."""
        try:
            async with asyncio.timeout(self._seconds), self._turns.of(client):
                return await self._offload.call(lambda: self._validate(body))
        except TimeoutError:
            detail = "too many large mails wait to be validated; try again later"
            raise HttpRefusal(
                HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=[RETRY_AFTER]
            ) from None

    def _validate(self, body: bytes) -> Mail:
        now = self._now()
        try:
            return parse_mail(parse_object(body), id=mail_id(now), submitted_at=now)
        except NotJson as error:
            raise HttpRefusal(HTTPStatus.BAD_REQUEST, str(error), code=Code.NOT_JSON) from None
        except InvalidMail as error:
            raise HttpRefusal(
                HTTPStatus.BAD_REQUEST, error.problems, code=Code.INVALID_MAIL, count=error.count
            ) from None
