"""Calls an ASGI application message by message, for what Starlette's TestClient does not show."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered, with the names of a test client's response."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self):
        return json.loads(self.content)


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    body: bytes | Sequence[bytes] = b"",
    headers: dict[str, str] | None = None,
    *,
    then: str = "end",
    meanwhile: Callable[[], Awaitable[object]] | None = None,
) -> Reply | None:
    """Send a request whose body comes in those chunks; then it ends, ``stall``s, or is ``gone``.

    A client that can ``wait`` sends all its body and stays until it is answered, one whose request
    ``end``s is gone by then. ``meanwhile`` happens before each chunk comes. Returns None if the
    application did not answer.
    """
    path, _, query = path.partition("?")
    chunks = [body] if isinstance(body, bytes) else [*body]
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if then in ("end", "wait"):
        messages[-1]["more_body"] = False
    sent = []

    async def receive():
        if messages:
            if meanwhile is not None:
                await meanwhile()
            return messages.pop(0)
        if then in ("stall", "wait"):
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in (headers or {}).items()],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    await app(scope, receive, send)
    if not sent:
        return None
    answer = b"".join(message.get("body", b"") for message in sent[1:])
    received = {k.decode(): v.decode("latin-1") for k, v in sent[0]["headers"]}
    return Reply(sent[0]["status"], received, answer)
