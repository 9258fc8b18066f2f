"""The handler that cancels many mails, for admins: after a leak of a key, say."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus

from limbo.domain.access.audit import Action
from limbo.domain.delivery.lifecycle import Status
from limbo.entrypoints.http.api.endpoint import Call, Store
from limbo.entrypoints.http.api.parameters import parse_email, parse_name, parse_since
from limbo.entrypoints.http.api.schemas import CancelledMails
from limbo.entrypoints.http.server.codes import Code
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.problems import HttpRefusal
from limbo.entrypoints.telemetry.address_hash import AddressHash
from limbo.entrypoints.telemetry.audit import Audit
from limbo.ports.ledger_reader import LedgerReader, Query

_OPEN = (Status.QUEUED, Status.DEFERRED)
_UNDER_WAY = (Status.SUBMITTING, Status.SENDING)
_PAGE = 500  # one transaction; a worker may wait for it
_MOST = 10_000
_HOW = (
    'the body must be {"client": "…", "key": "…", "status": "…", "to": "…", "since": "…"},'
    ' with one of these at least, or {"all": true}'
)


class Cancelling:
    """The handler; it says nothing of the mails but how many they were."""

    def __init__(
        self,
        ledger_reader: LedgerReader | None,
        *,
        audit: Audit,
        address_hash: AddressHash,
        offload: Offload,
    ) -> None:
        self._audit = audit
        self._address_hash = address_hash
        self._ask = Store(ledger_reader, offload=offload, missing="this limbo keeps no ledger").ask

    async def cancel(self, call: Call) -> CancelledMails:
        """Cancel the mails that the body names."""
        query = parse_query(call.document)
        selection = dict(call.document)
        if query.to is not None:
            selection["to"] = self._address_hash(query.to)
        actor = call.actor

        def cancel(ledger_reader: LedgerReader) -> CancelledMails:
            with self._audit.recorded(actor, Action.CANCEL, selection) as changed:
                cancelled = _cancel(ledger_reader, query)
                changed.count = cancelled["cancelled"]
            return cancelled

        return await self._ask(cancel)


def parse_query(document: Mapping[str, object]) -> Query:
    """Return what selects the mails; raises HttpRefusal with 400."""
    if document == {"all": True} and document["all"] is True:
        return Query(client=None)
    if not document or document.keys() - _READERS.keys():
        raise HttpRefusal(HTTPStatus.BAD_REQUEST, _HOW, code=Code.INVALID_BODY)
    values: dict[str, object] = {name: _read(name, value) for name, value in document.items()}
    return replace(Query(client=None), **values)  # type: ignore[arg-type] # each reader has its type


def _cancel(ledger_reader: LedgerReader, query: Query) -> CancelledMails:
    count = 0
    has_more = False
    for status in _OPEN if query.status is None else (query.status,):
        page = replace(query, status=status, limit=_PAGE)
        while not (has_more := count >= _MOST):
            done = ledger_reader.cancel_page(page)
            count += done.count
            if done.last is None:
                break
            page = replace(page, after=done.last)
    under_way = (
        len(ledger_reader.page(replace(query, status=status, limit=_MOST)))
        for status in (_UNDER_WAY if query.status is None else ())
    )
    return {"cancelled": count, "too_late": sum(under_way), "has_more": has_more}


def _read(name: str, value: object) -> object:
    try:
        return _READERS[name](value)
    except ValueError as error:
        raise HttpRefusal(
            HTTPStatus.BAD_REQUEST, f"{name}: {error}", code=Code.INVALID_BODY
        ) from None


def _text(parse: Callable[[str], object]) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("must be a string")  # noqa: TRY004 - the body is wrong, not the code
        return parse(value)

    return read


def _open_status(text: str) -> Status:
    if text not in _OPEN:
        raise ValueError(f"must be one of {', '.join(_OPEN)}, which alone can be cancelled")
    return Status(text)


def _since(value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return parse_since(str(value) if is_number or isinstance(value, str) else "")


_READERS: Mapping[str, Callable[[object], object]] = {
    "client": _text(parse_name),
    "key": _text(parse_name),
    "status": _text(_open_status),
    "to": _text(parse_email),
    "since": _since,
}
