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
from limbo.entrypoints.http.api.representations import mail_entry, mail_resource
from limbo.entrypoints.http.api.schemas import MailPage, MailResource
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.long_poll import LongPolls
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.ports.ledger_reader import LedgerReader, Query, Record

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Mails:
    """The handlers; a client finds only its own mails, an admin those of all clients."""

    def __init__(
        self, ledger_reader: LedgerReader | None, *, offload: Offload, polls: LongPolls
    ) -> None:
        self._ask = Store(ledger_reader, offload=offload, missing="this limbo keeps no ledger").ask
        self._polls = polls

    async def show(self, call: Call) -> MailResource:
        """Show a mail; with ``wait``, once its status is final."""
        wait = WAIT.read(call.query)

        async def look() -> Record | None:
            return await self._ask(
                lambda ledger_reader: ledger_reader.find(call.id, call.client.visible_client)
            )

        _check_id(call.id)
        record = await self._polls.wait_until_final(
            look, call.request.receive, wait, call.check_again
        )
        return _found(record)

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
        records = await self._ask(lambda ledger_reader: ledger_reader.page(query))
        data = [mail_entry(record) for record in records[:limit]]
        return {"data": data, "has_more": len(records) > limit}

    async def cancel(self, call: Call) -> MailResource:
        """Cancel a mail, or say that it is too late."""
        client = call.client.visible_client
        _check_id(call.id)

        def cancel(ledger_reader: LedgerReader) -> tuple[Status | None, Record | None]:
            return ledger_reader.cancel(call.id, client), ledger_reader.find(call.id, client)

        status, record = await self._ask(cancel)
        if status is not None and status is not Status.CANCELLED:
            detail = f"too late to cancel the mail: it is {status}"
            raise HttpRefusal(HTTPStatus.CONFLICT, detail, code=Code.TOO_LATE)
        found = _found(record if status else None)
        log.info("mail cancelled", mail_id=found["id"])
        return found


def _check_id(text: str) -> None:
    """Refuse a text that cannot be an id; a database may not even accept it in a query."""
    if not is_mail_id(text):
        raise _no_such_mail()


def _found(record: Record | None) -> MailResource:
    if record is None:
        raise _no_such_mail()
    return mail_resource(record)


def _no_such_mail() -> HttpRefusal:
    return HttpRefusal(HTTPStatus.NOT_FOUND, "no such mail", code=Code.MAIL_NOT_FOUND)
