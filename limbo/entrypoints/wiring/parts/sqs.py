"""A queue on SQS; its ledger, if there is one, is in another backend."""

from contextlib import closing

from dependency_injector import providers

from limbo.adapters.sqs.client import sqs_client
from limbo.adapters.sqs.dead_letters import SqsDeadLetters
from limbo.adapters.sqs.queue import SqsQueue
from limbo.entrypoints.wiring.parts.base import Parts


class SqsParts(Parts):
    """Two SQS queues, for mails and dead letters, with one client."""

    client = providers.Resource(
        closing, providers.Factory(sqs_client, Parts.settings.provided.region)
    )
    queue = providers.Singleton(
        SqsQueue,
        client,
        Parts.url,
        Parts.settings.provided.dead_letter_queue,
        lease_seconds=Parts.settings.provided.lease,
        now=Parts.clock.provided.now,
        codec=Parts.codec,
    )
    dead_letters = providers.Singleton(
        SqsDeadLetters,
        client,
        Parts.url,
        Parts.settings.provided.dead_letter_queue,
        codec=Parts.codec,
    )
    stored_bodies = dead_letters
