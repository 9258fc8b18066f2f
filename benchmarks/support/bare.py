"""The floor of accepting: a Starlette application that parses a mail and keeps nothing.

python -m benchmarks.support.bare PORT
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def _submit(request: Request) -> Response:
    document = await request.json()
    if "to" not in document:
        return JSONResponse({"Message": "not submitted"}, status_code=400)
    return JSONResponse({"Message": "submitted"})


async def _hello(_: Request) -> Response:
    return JSONResponse({"hello": "world"})


def bare_app() -> Starlette:
    """Return the application."""
    return Starlette(routes=[Route("/v1/mail", _submit, methods=["POST"]), Route("/", _hello)])


def serve(app: Starlette, port: int) -> None:
    """Serve it with the same server as limbo."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )


if __name__ == "__main__":
    serve(bare_app(), int(sys.argv[1]))
