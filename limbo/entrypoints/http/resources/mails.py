"""The handlers of mails after their submission: show one, list many, cancel one."""

from http import HTTPStatus

import structlog

from limbo.domain.delivery.lifecycle import Status
from limbo.domain.mail.ids import is_mail_id
from limbo.entrypoints.http.api.endpoint import Call, Store
from limbo.entrypoints.http.api.operations import (
    AFTER,
    CLIENT,
    KEY,
    LIMIT,
    SINCE,
    STATUS,
    TO,
    WAIT,
)
from limbo.entrypoints.http.api.parameters import no_position
from limbo.entrypoints.http.api.representations import mail_entry, mail_resource
from limbo.entrypoints.http.api.schemas import CancelledMail, MailPage, MailResource
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.long_poll import LongPolls
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.entrypoints.http.server.response import Header
from limbo.ports.ledger_reader import LedgerReader, Query, Record

# There was no place to wait in.
_NOT_HELD: tuple[Header, ...] = ((b"limbo-wait", b"not-held"), (b"retry-after", b"1"))
log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Mails:
    """The handlers; a client finds only its own mails, an admin those of all clients."""

    def __init__(self, store: Store[LedgerReader], *, polls: LongPolls) -> None:
        self._ask = store.ask
        self._polls = polls

    async def show(self, call: Call) -> MailResource:
        """Show a mail; with ``wait``, once its status is final."""
        wait = WAIT.read(call.query)
        _check_id(call.id)
        record = await self._find(call)
        if wait and not record.status.is_final:
            client, receive = call.client.id, call.request.receive
            if await self._polls.hold(record.id, client, receive, wait, call.check_again):
                record = await self._find(call)
            else:
                call.headers.extend(_NOT_HELD)
        return mail_resource(record, tells_all=_tells_all(call))

    async def list(self, call: Call) -> MailPage:
        """Show a page of mails."""
        limit = LIMIT.read(call.query)
        client, visible = CLIENT.read(call.query), call.client.visible_client
        query = Query(
            client=client if visible is None else visible,
            key=KEY.read(call.query),
            status=STATUS.read(call.query),
            to=TO.read(call.query),
            since=SINCE.read(call.query),
            after=AFTER.read(call.query),
            limit=limit + 1,
        )
        if client not in (None, query.client):
            return {"data": [], "has_more": False}  # as if the other client had no mails

        def page(ledger_reader: LedgerReader) -> list[Record] | None:
            if query.after is not None and ledger_reader.find(query.after, visible) is None:
                return None
            return [*ledger_reader.page(query)]

        records = await self._ask(page, call.client.id)
        if records is None:
            raise no_position()
        tells_all = _tells_all(call)
        data = [mail_entry(record, tells_all=tells_all) for record in records[:limit]]
        return {"data": data, "has_more": len(records) > limit}

    async def cancel(self, call: Call) -> CancelledMail:
        """Cancel a mail, or say that it is too late.

        The key need not have the scope read, so the answer has nothing of the mail.
        """
        client = call.client.visible_client
        _check_id(call.id)
        status = await self._ask(
            lambda ledger_reader: ledger_reader.cancel(call.id, client), call.client.id
        )
        if status is None:
            raise _no_such_mail()
        if status is not Status.CANCELLED:
            detail = f"too late to cancel the mail: it is {status}"
            raise HttpRefusal(HTTPStatus.CONFLICT, detail, code=Code.TOO_LATE)
        log.info("mail cancelled", mail_id=call.id)
        return {"id": call.id, "status": status}

    async def _find(self, call: Call) -> Record:
        client = call.client.visible_client
        record = await self._ask(
            lambda ledger_reader: ledger_reader.find(call.id, client), call.client.id
        )
        if record is None:
            raise _no_such_mail()
        return record


def _tells_all(call: Call) -> bool:
    return call.client.visible_client is None


def _check_id(text: str) -> None:
    """Refuse a text that cannot be an id; a database may not even accept it in a query."""
    if not is_mail_id(text):
        raise _no_such_mail()


def _no_such_mail() -> HttpRefusal:
    return HttpRefusal(HTTPStatus.NOT_FOUND, "no such mail", code=Code.MAIL_NOT_FOUND)
