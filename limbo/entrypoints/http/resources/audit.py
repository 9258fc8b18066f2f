"""The handler of the audit, for admins."""

from limbo.entrypoints.http.api.endpoint import Call, Store
from limbo.entrypoints.http.api.operations import ACTION, AFTER, AUDIT_SINCE, LIMIT, WHO
from limbo.entrypoints.http.api.representations import audit_representation
from limbo.entrypoints.http.api.schemas import AuditPage
from limbo.entrypoints.http.server.offload import Offload
from limbo.ports.audit_log import AuditLog, AuditQuery


class AuditHandlers:
    """The handlers; what admins did never changes, so it is only read."""

    def __init__(self, audit_log: AuditLog | None, *, offload: Offload) -> None:
        missing = "this limbo keeps no audit, as it has no database; its log has the actions"
        self._ask = Store(audit_log, offload=offload, missing=missing).ask

    async def list(self, call: Call) -> AuditPage:
        """Show a page of what admins did."""
        limit = LIMIT.read(call.query)
        query = AuditQuery(
            who=WHO.read(call.query),
            action=ACTION.read(call.query),
            since=AUDIT_SINCE.read(call.query),
            after=AFTER.read(call.query),
            limit=limit + 1,
        )
        found = await self._ask(lambda audit_log: audit_log.page(query))
        data = [audit_representation(entry) for entry in found[:limit]]
        return {"data": data, "has_more": len(found) > limit}
