"""The floor of accepting on SQS: one ``send_message`` for each request, in a pool of 40 threads.

python -m benchmarks.support.threaded_sqs PORT
"""

import os
import sys

import anyio.to_thread
import boto3
from botocore.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from benchmarks.support.bare import serve

_THREADS = 40  # what Starlette gives its synchronous endpoints


def _app() -> Starlette:
    client = boto3.session.Session().client(
        "sqs", region_name="eu-west-1", config=Config(max_pool_connections=_THREADS)
    )
    url = os.environ["LIMBO_QUEUE"]

    async def submit(request: Request) -> Response:
        await request.json()
        body = (await request.body()).decode()
        await anyio.to_thread.run_sync(lambda: client.send_message(QueueUrl=url, MessageBody=body))
        return JSONResponse({"Message": "submitted"})

    async def hello(_: Request) -> Response:
        return JSONResponse({"hello": "world"})

    return Starlette(routes=[Route("/v1/mail", submit, methods=["POST"]), Route("/", hello)])


if __name__ == "__main__":
    serve(_app(), int(sys.argv[1]))
