"""Builds the HTTP application; ``server`` serves it."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from limbo.domain.access.networks import NO_NETWORKS, Networks
from limbo.entrypoints.http.access.access import Access
from limbo.entrypoints.http.access.client_address import TRUSTED_PROXIES
from limbo.entrypoints.http.api import operations as op
from limbo.entrypoints.http.api.application import observed_application
from limbo.entrypoints.http.api.endpoint import Endpoint, Handler, Store
from limbo.entrypoints.http.api.guard import Guard
from limbo.entrypoints.http.api.hosts import HostPolicy
from limbo.entrypoints.http.api.openapi import document_endpoint, openapi_document
from limbo.entrypoints.http.api.operation import Operation
from limbo.entrypoints.http.api.probes import Probes
from limbo.entrypoints.http.api.routing import group, no_id, route
from limbo.entrypoints.http.resources.audit import AuditHandlers
from limbo.entrypoints.http.resources.cancelling import Cancelling
from limbo.entrypoints.http.resources.dead_letters import DeadLetterHandlers
from limbo.entrypoints.http.resources.mails import Mails
from limbo.entrypoints.http.resources.submission.endpoint import SubmissionEndpoint
from limbo.entrypoints.http.resources.submission.gather import Gatherer, GatherLimits
from limbo.entrypoints.http.server.bodies import BODIES, BodyBudget
from limbo.entrypoints.http.server.body import BodyReader
from limbo.entrypoints.http.server.long_poll import LongPolls
from limbo.entrypoints.http.server.offload import Offload
from limbo.entrypoints.http.server.protocol import STOP
from limbo.entrypoints.http.server.refusals import Refusals
from limbo.entrypoints.telemetry.address_hash import AddressHash
from limbo.entrypoints.telemetry.audit import Audit
from limbo.entrypoints.telemetry.metrics import Metrics
from limbo.ports.dead_letters import DeadLetters
from limbo.ports.ledger_reader import LedgerReader
from limbo.ports.outbox import Outbox
from limbo.ports.queue import Readiness

_V1 = "/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How much the application accepts at once; times in seconds."""

    body_bytes: int = 1_048_576
    body_seconds: float = 10.0
    all_bodies_bytes: int = 64 * 1_048_576
    probe_seconds: float = 2.0
    reader_threads: int = 4
    reader_calls: int = 500
    reader_seconds: float = 10.0
    letters_calls: int = 16
    letters_seconds: float = 60.0
    long_polls: int = 500
    long_polls_of_one: int = 50
    poll_pause: float = 0.2


def create_app(
    *,
    outbox: Outbox,
    readiness: Readiness,
    metrics: Metrics,
    access: Access,
    hosts: HostPolicy,
    audit: Audit,
    ledger_reader: LedgerReader | None = None,
    dead_letters: DeadLetters | None = None,
    now: Callable[[], float] = time.time,
    limits: HttpLimits | None = None,
    gather: GatherLimits | None = None,
    deduplicates: bool = True,
    shows_metrics: bool = True,
    trusted_proxies: Networks = NO_NETWORKS,
    address_hash: AddressHash | None = None,
) -> Starlette:
    """Return the application; its lifespan must run, because it starts the outbox's threads.

    Without a ``ledger_reader`` or ``dead_letters``, the operations that need one answer 501. So
    does a submission with an Idempotency-Key, unless the outbox ``deduplicates``. Without
    ``shows_metrics`` there is no /metrics, which then has a port of its own. What
    ``trusted_proxies`` say of whom they serve is believed. Without an
    ``address_hash``, logs show addresses by hashes of this process alone.
    """
    limits = limits or HttpLimits()
    address_hash = address_hash or AddressHash.random()
    gatherer = Gatherer(outbox, gather)
    refusals = Refusals(metrics)
    bodies = BodyBudget(limits.all_bodies_bytes)
    reader = BodyReader(limit=limits.body_bytes, seconds=limits.body_seconds, refusals=refusals)
    reading = Offload(
        threads=limits.reader_threads, calls=limits.reader_calls, seconds=limits.reader_seconds
    )
    clearing = Offload(threads=2, calls=limits.letters_calls, seconds=limits.letters_seconds)
    ledger = Store(ledger_reader, offload=reading, missing="this limbo keeps no ledger")
    polls = LongPolls(
        lambda ids: ledger.ask(lambda reader: reader.statuses(ids)),
        most=limits.long_polls,
        each=limits.long_polls_of_one,
        pause=limits.poll_pause,
    )
    submission = SubmissionEndpoint(
        gatherer=gatherer,
        access=access,
        metrics=metrics,
        now=now,
        reader=reader,
        deduplicates=deduplicates,
        address_hash=address_hash,
    )
    mails = Mails(ledger, polls=polls)
    letters = DeadLetterHandlers(dead_letters, audit=audit, offload=clearing)
    audits = AuditHandlers(audit.kept, offload=reading)
    routes = [
        # The first that is tried, as most requests are submissions.
        route(op.SUBMIT, submission),
        group(
            _V1,
            _version_one(
                mails,
                Cancelling(ledger_reader, audit=audit, address_hash=address_hash, offload=clearing),
                letters,
                audits,
                partial(Endpoint, access=access, reader=reader),
            ),
        ),
        *_open_routes(
            Probes(check=readiness.check_put, metrics=metrics, seconds=limits.probe_seconds),
            openapi_document(anonymous_scopes=access.anonymous_scopes),
            shows_metrics=shows_metrics,
        ),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        async with gatherer, access.watching():
            yield {STOP: polls.stop, BODIES: bodies, TRUSTED_PROXIES: trusted_proxies}
        polls.stop()

    guard = Guard(hosts, refusals)
    return observed_application(routes, metrics=metrics, guard=guard, lifespan=lifespan)


def _version_one(
    mails: Mails,
    cancelling: Cancelling,
    letters: DeadLetterHandlers,
    audits: AuditHandlers,
    endpoint: Callable[[Operation, Handler], Endpoint],
) -> list[BaseRoute]:
    def guarded(operation: Operation, handler: Handler) -> Route:
        return route(operation, endpoint(operation, handler).respond, below=_V1)

    return [
        guarded(op.LIST, mails.list),
        guarded(op.CANCEL_MANY, cancelling.cancel),
        no_id(op.CANCEL_MANY, below=_V1),
        guarded(op.SHOW, mails.show),
        guarded(op.CANCEL, mails.cancel),
        guarded(op.LIST_DEAD, letters.list),
        guarded(op.DROP, letters.drop),
        guarded(op.CAUSES, letters.causes),
        no_id(op.CAUSES, below=_V1),
        guarded(op.REDRIVE, letters.redrive),
        no_id(op.REDRIVE, below=_V1),
        guarded(op.SHOW_DEAD, letters.show),
        guarded(op.DROP_ONE, letters.drop_one),
        guarded(op.AUDIT, audits.list),
    ]


def _open_routes(
    probes: Probes, document: Mapping[str, Any], *, shows_metrics: bool
) -> list[BaseRoute]:
    return [
        route(op.HELLO, probes.hello),
        route(op.HEALTH, probes.health),
        route(op.LIVE, probes.live),
        route(op.READY, probes.ready),
        *([route(op.METRICS, probes.metrics)] if shows_metrics else []),
        route(op.DOCUMENT, document_endpoint(document)),
    ]
