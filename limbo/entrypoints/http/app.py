"""Puts the HTTP application together; a server is another matter."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette

from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.api import operations as op
from limbo.entrypoints.http.api.endpoint import Endpoint, Handler
from limbo.entrypoints.http.api.middleware import ObservedApp
from limbo.entrypoints.http.api.openapi import document_handler, openapi_document
from limbo.entrypoints.http.api.operation import Operation
from limbo.entrypoints.http.api.operations import DOCUMENT, SUBMIT
from limbo.entrypoints.http.api.probes import OpenEndpoint, Probes, open_endpoints
from limbo.entrypoints.http.api.routing import Routes
from limbo.entrypoints.http.resources.dead_letters import DeadLetterHandlers
from limbo.entrypoints.http.resources.mails import Mails
from limbo.entrypoints.http.resources.submission.endpoint import SubmissionEndpoint
from limbo.entrypoints.http.resources.submission.gather import Gatherer, GatherLimits
from limbo.entrypoints.http.server.body import BodyReader
from limbo.entrypoints.http.server.long_poll import LongPolls
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.protocol import STOP
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.dead_letters import DeadLetters
from limbo.ports.ledger_reader import LedgerReader
from limbo.ports.outbox import Outbox
from limbo.ports.queue import QueueDepth


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How much is taken on at once; times in seconds."""

    body_bytes: int = 1_048_576
    body_seconds: float = 10.0
    probe_seconds: float = 2.0
    reader_threads: int = 4
    reader_calls: int = 500
    reader_seconds: float = 10.0
    letters_calls: int = 16
    letters_seconds: float = 60.0
    long_polls: int = 200
    poll_pause: float = 0.2


def create_app(
    *,
    outbox: Outbox,
    queue: QueueDepth,
    metrics: Metrics,
    access: Access,
    ledger_reader: LedgerReader | None = None,
    dead_letters: DeadLetters | None = None,
    now: Callable[[], float] = time.time,
    limits: HttpLimits | None = None,
    gather: GatherLimits | None = None,
    deduplicates: bool = True,
) -> Starlette:
    """Return the application; its lifespan must be run, as it owns the threads of the outbox.

    Without a ``ledger_reader`` or ``dead_letters``, what needs one answers 501. So does a
    submission with an Idempotency-Key unless the outbox ``deduplicates``.
    """
    limits = limits or HttpLimits()
    gatherer = Gatherer(outbox, gather)
    reader = BodyReader(limit=limits.body_bytes, seconds=limits.body_seconds)
    reading = Offload(
        threads=limits.reader_threads, calls=limits.reader_calls, seconds=limits.reader_seconds
    )
    clearing = Offload(threads=2, calls=limits.letters_calls, seconds=limits.letters_seconds)
    polls = LongPolls(most=limits.long_polls, pause=limits.poll_pause)
    handlers = _handlers(
        Mails(ledger_reader, offload=reading, polls=polls),
        DeadLetterHandlers(dead_letters, offload=clearing),
    )
    document = openapi_document(anonymous_scopes=access.anonymous_scopes)
    routes = Routes(
        {
            SUBMIT: SubmissionEndpoint(
                gatherer=gatherer,
                access=access,
                metrics=metrics,
                now=now,
                reader=reader,
                deduplicates=deduplicates,
            ),
            DOCUMENT: OpenEndpoint(document_handler(document)),
            **open_endpoints(Probes(queue=queue, metrics=metrics, seconds=limits.probe_seconds)),
            **{
                operation: Endpoint(operation, handler, access=access, reader=reader)
                for operation, handler in handlers.items()
            },
        }
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        async with gatherer:
            yield {STOP: polls.stop}
        polls.stop()

    return ObservedApp(routes, metrics=metrics, lifespan=lifespan)


def _handlers(mails: Mails, letters: DeadLetterHandlers) -> Mapping[Operation, Handler]:
    return {
        op.LIST: mails.list,
        op.SHOW: mails.show,
        op.CANCEL: mails.cancel,
        op.LIST_DEAD: letters.list,
        op.CAUSES: letters.causes,
        op.SHOW_DEAD: letters.show,
        op.REDRIVE: letters.redrive,
        op.DROP: letters.drop,
        op.DROP_ONE: letters.drop_one,
    }
